//! What the music of MIDI files is like, beside that of others.

mod report;
mod sources;
mod table;

use std::path::{Path, PathBuf};

use corpus::Split;
use figures::{Measured, Originals, PieceFigures, patterns};
use rayon::prelude::*;

use self::report::{Named, Report};
use self::sources::Source;
use crate::progress;
use crate::usage::wrong_use;

/// Options for describing music.
#[derive(clap::Args)]
pub struct Args {
    /// Describe the music of the MIDI files below this folder, or of a dataset's
    /// validation pieces: pitches, rhythm, dynamics, pedal, structure, loops.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "dataset", "ids", "midis"])]
    pub music: Option<PathBuf>,
    /// Compare with the MIDI files below this folder, or with a dataset's
    /// validation pieces.
    #[arg(long, value_name = "DIR", requires = "music", conflicts_with = "model")]
    reference: Option<PathBuf>,
    /// Look for what was copied from the MIDI files below this folder, or from a
    /// dataset's training pieces.
    #[arg(long, value_name = "DIR", requires = "music", conflicts_with = "model")]
    training: Option<PathBuf>,
    /// Describe only the first seconds of each piece, so that short pieces can be
    /// compared with long ones.
    #[arg(long, value_name = "N", requires = "music", conflicts_with = "model")]
    first_seconds: Option<f64>,
    /// Leave out the structure indicators, which take most of the time.
    #[arg(long, requires = "music", conflicts_with = "model")]
    no_structure: bool,
}

/// Describes the music of a folder or dataset.
///
/// # Errors
/// Where a folder cannot be read or holds no piece that can be used.
pub fn run(music: &Path, args: &Args, json: bool) -> anyhow::Result<()> {
    if args
        .first_seconds
        .is_some_and(|seconds| seconds.is_nan() || seconds <= 0.0)
    {
        return Err(wrong_use("--first-seconds must be more than 0"));
    }
    let open = |path: &Option<PathBuf>, split| -> anyhow::Result<Option<Source>> {
        path.as_ref()
            .map(|path| Source::open(path, split))
            .transpose()
    };
    let music = Source::open(music, Split::Valid)?;
    let reference = open(&args.reference, Split::Valid)?;
    let training = open(&args.training, Split::Train)?;
    let originals = training.map(|training| originals(&training)).transpose()?;
    let music = described(args, &music, originals.as_ref())?;
    let reference = reference.map(|reference| described(args, &reference, originals.as_ref()));
    let report = Report::new(music, reference.transpose()?);
    match json {
        true => report.print_json(),
        false => table::print(&report),
    }
}

/// Takes the figures of all pieces.
fn described(args: &Args, source: &Source, originals: Option<&Originals>) -> anyhow::Result<Named> {
    let measured = for_each(source, "describing", |index| {
        let piece = source.piece(index)?;
        let piece = match args.first_seconds {
            Some(seconds) => piece.beginning(seconds),
            None => piece,
        };
        let measured = Measured::new(piece, !args.no_structure);
        Ok(PieceFigures::of(&measured, originals))
    });
    let mut named = Named::new(source.path());
    for (index, figures) in measured.into_iter().enumerate() {
        match figures {
            Ok(figures) => {
                named.names.push(source.name(index));
                named.set.pieces.push(figures);
            }
            Err(reason) => named.skip(source.name(index), reason),
        }
    }
    named.check()?;
    Ok(named)
}

/// Reads what may have been copied from.
fn originals(source: &Source) -> anyhow::Result<Originals> {
    let steps = for_each(source, "reading", |index| {
        Ok(patterns::steps(&source.piece(index)?))
    });
    let mut named = Named::new(source.path());
    let mut all = Vec::new();
    for (index, steps) in steps.into_iter().enumerate() {
        match steps {
            Ok(steps) => all.push(steps),
            Err(reason) => named.skip(source.name(index), reason),
        }
    }
    Ok(Originals::new(all))
}

/// Does something with each piece, on all cores, under a progress bar.
fn for_each<T: Send>(
    source: &Source,
    doing: &'static str,
    with: impl Fn(usize) -> Result<T, String> + Sync,
) -> Vec<Result<T, String>> {
    let bar = progress::bar(source.len() as u64, "pieces").with_message(doing);
    let one = |index| {
        let result = with(index);
        bar.inc(1);
        result
    };
    let results = (0..source.len()).into_par_iter().map(one).collect();
    bar.finish_and_clear();
    results
}
