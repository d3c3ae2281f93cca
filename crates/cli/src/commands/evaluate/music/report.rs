//! All figures as JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::bail;
use figures::{FIGURES, HISTOGRAMS, Likeness, PieceFigures, Set, Summary};
use serde::Serialize;
use serde_json::{Value, json};

/// Loops may fill so much of a piece before it counts as stuck.
pub const STUCK: f64 = 0.25;

/// A set with the names of its pieces.
pub struct Named {
    pub place: String,
    pub names: Vec<String>,
    pub set: Set,
    pub skipped: Vec<Skipped>,
}

/// A file that could not be used.
#[derive(Clone, Serialize)]
pub struct Skipped {
    pub file: String,
    pub reason: String,
}

/// A set, and what there is to compare it with.
pub struct Report {
    pub music: Named,
    pub reference: Option<Named>,
}

impl Named {
    /// No piece yet.
    pub fn new(place: &Path) -> Self {
        Self {
            place: place.display().to_string(),
            names: Vec::new(),
            set: Set::default(),
            skipped: Vec::new(),
        }
    }

    /// Notes a file that cannot be used, and tells so.
    pub fn skip(&mut self, file: String, reason: String) {
        eprintln!("skipped {}/{file}: {reason}", self.place);
        self.skipped.push(Skipped { file, reason });
    }

    /// An error where no file can be used.
    pub fn check(&self) -> anyhow::Result<()> {
        match self.skipped.first() {
            Some(Skipped { file, reason }) if self.set.pieces.is_empty() => bail!(
                "none of the {} files of {} could be used; the first: {file}: {reason}",
                self.skipped.len(),
                self.place
            ),
            _ => Ok(()),
        }
    }

    /// Names of the pieces that are loops for more than [`STUCK`].
    pub fn stuck(&self) -> Vec<&str> {
        let Some(loops) = Set::figure("loop_share") else {
            return Vec::new();
        };
        let pieces = self.names.iter().zip(&self.set.pieces);
        let stuck = pieces.filter(|(_, piece)| piece.figures[loops] > Some(STUCK));
        stuck.map(|(name, _)| name.as_str()).collect()
    }

    fn to_json(&self, each: bool) -> Value {
        let set = &self.set;
        let figures =
            (0..FIGURES.len()).map(|index| (FIGURES[index].name, summary(set.summary(index))));
        let histograms =
            (0..HISTOGRAMS.len()).map(|index| (HISTOGRAMS[index].name, set.histogram(index)));
        let mut value = json!({
            "place": self.place,
            "pieces": set.pieces.len(),
            "skipped": self.skipped,
            "figures": figures.collect::<BTreeMap<_, _>>(),
            "histograms": histograms.collect::<BTreeMap<_, _>>(),
            "longest_copied_run": summary(set.longest_runs()),
            "copied_patterns": summary(set.copied_patterns()),
            "stuck": self.stuck(),
        });
        if each {
            let each = self.names.iter().zip(&set.pieces);
            value["each"] = each.map(|(name, piece)| piece_json(name, piece)).collect();
        }
        value
    }
}

impl Report {
    /// A report of both.
    pub fn new(music: Named, reference: Option<Named>) -> Self {
        Self { music, reference }
    }

    /// Prints everything, with the figures of each piece of the music.
    pub fn print_json(&self) -> anyhow::Result<()> {
        let mut value = json!({ "music": self.music.to_json(true) });
        if let Some(reference) = &self.reference {
            value["reference"] = reference.to_json(false);
            let (set, other) = (&self.music.set, &reference.set);
            let figures = FIGURES.iter().enumerate();
            let figures =
                figures.map(|(index, figure)| (figure.name, likeness(set.likeness(other, index))));
            let histograms = HISTOGRAMS.iter().enumerate().map(|(index, histogram)| {
                let both = json!({
                    "pieces": likeness(set.histogram_likeness(other, index)),
                    "notes": likeness(set.notes_likeness(other, index)),
                });
                (histogram.name, both)
            });
            value["likeness"] = json!({
                "figures": figures.collect::<BTreeMap<_, _>>(),
                "histograms": histograms.collect::<BTreeMap<_, _>>(),
            });
        }
        // The report is the result: where it cannot be written, that is an error.
        Ok(writeln!(std::io::stdout().lock(), "{value}")?)
    }
}

fn piece_json(name: &str, piece: &PieceFigures) -> Value {
    let figures = FIGURES.iter().map(|figure| figure.name).zip(&piece.figures);
    json!({
        "file": name,
        "figures": figures.collect::<BTreeMap<_, _>>(),
        "longest_copied_run": piece.copying.map(|copying| copying.longest_run),
        "copied_patterns": piece.copying.and_then(|copying| copying.patterns),
    })
}

fn summary(summary: Option<Summary>) -> Value {
    summary.map_or(Value::Null, |summary| {
        json!({
            "pieces": summary.pieces,
            "mean": summary.mean,
            "deviation": summary.deviation,
            "least": summary.least,
            "most": summary.most,
        })
    })
}

fn likeness(likeness: Option<Likeness>) -> Value {
    likeness.map_or(Value::Null, |likeness| {
        json!({
            "overlapping_area": likeness.overlapping_area,
            "divergence": likeness.divergence,
        })
    })
}
