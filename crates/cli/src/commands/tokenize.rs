//! `tchaikovsky tokenize`: a folder of MIDI files to a dataset folder and a
//! tokenizer.

use std::path::PathBuf;

use clap::ValueEnum;
use corpus::{Manifest, Options, Report, TokenizerChoice, build};
use remi::{BeatResolution, Config, Time, Tokenizer};
use score::Merge;

use crate::progress::Bars;
use crate::say;
use crate::usage::wrong_use;
use crate::{stop, write};

/// Turn a folder of MIDI files into a dataset for training, and train its
/// tokenizer.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Folder of MIDI files; all .mid and .midi files below it are used.
    #[arg(long, value_name = "DIR")]
    midis_dir: PathBuf,
    /// Dataset folder to write; it must not exist yet.
    #[arg(long, value_name = "DIR", default_value = "tokenized_dataset")]
    out_dir: PathBuf,
    /// Where to write the trained tokenizer (a copy lies in the dataset).
    #[arg(long, value_name = "FILE", default_value = "tokenizer.json")]
    out_tokenizer: PathBuf,
    /// Ids that the tokenizer is to have, base tokens and BPE together.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    vocab_size: usize,
    /// Velocity bins [default: 16, performance preset 32].
    #[arg(long, value_name = "N")]
    num_velocities: Option<u8>,
    /// Name chords.
    #[arg(long)]
    use_chords: bool,
    /// Tell tempo changes.
    #[arg(long)]
    use_tempos: bool,
    /// Tell the sustain pedal.
    #[arg(long)]
    use_sustain_pedal: bool,
    /// What the tokens can tell: "seed" as TchAIkovsky has it, "performance"
    /// for expressive playing (real time in steps of 15.6 ms, 32 velocities,
    /// pedal).
    #[arg(long, value_enum, default_value = "seed")]
    preset: Preset,
    /// What a grid step is: a fraction of the score's beat, or a span of real
    /// time whatever the file's tempos [default: the preset's].
    #[arg(long, value_enum)]
    time: Option<TimeArg>,
    /// Positions a beat for ranges of beats, as in 0_4:8,4_12:4.
    #[arg(long, value_name = "RANGES", value_parser = beat_resolutions)]
    beat_res: Option<Resolutions>,
    /// Use this tokenizer as it is and train none.
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "vocab_size", "num_velocities", "use_chords", "use_tempos", "use_sustain_pedal",
        "preset", "beat_res", "time",
    ])]
    tokenizer: Option<PathBuf>,
    /// What to do with files of several tracks (drums are always left out).
    #[arg(long, value_enum, default_value = "merge")]
    tracks: Tracks,
    /// Share of the pieces that is kept for validation.
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    valid_proportion: f64,
    /// Seed of the split.
    #[arg(long, default_value_t = 255, value_name = "N")]
    seed: u64,
    /// CSV file with columns path and split (train, valid, test) that decides
    /// the split.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Threads to use [default: all cores].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// End at the first file that cannot be used, in place of skipping it.
    #[arg(long)]
    strict: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky tokenize --midis-dir recordings
  tchaikovsky tokenize --midis-dir recordings --out-dir dataset --preset performance
  tchaikovsky tokenize --midis-dir more --out-dir more-dataset --tokenizer tokenizer.json";

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Preset {
    Seed,
    Performance,
}

#[derive(Clone, Copy, ValueEnum)]
enum TimeArg {
    Score,
    Performance,
}

#[derive(Clone, Copy, ValueEnum)]
enum Tracks {
    Merge,
    First,
}

/// A parsed `--beat-res`.
#[derive(Clone)]
struct Resolutions(Vec<BeatResolution>);

fn beat_resolutions(text: &str) -> Result<Resolutions, String> {
    let range = |part: &str| {
        let (beats, positions) = part.split_once(':')?;
        let (from, to) = beats.split_once('_')?;
        Some(BeatResolution {
            from: from.trim().parse().ok()?,
            to: to.trim().parse().ok()?,
            positions: positions.trim().parse().ok()?,
        })
    };
    let parsed: Option<Vec<_>> = text.split(',').map(range).collect();
    parsed
        .map(Resolutions)
        .ok_or_else(|| "write ranges of beats as in 0_4:8,4_12:4".to_owned())
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let json = args.json;
    let out_tokenizer = args.out_tokenizer.clone();
    let trains = args.tokenizer.is_none();
    if let Some(jobs) = args.jobs {
        rayon::ThreadPoolBuilder::new()
            .num_threads(jobs)
            .build_global()?;
    }
    let options = meaning(args)?;
    let stop = stop::on_signal()?;
    let bars = Bars::new();
    let built = build(&options, &bars, stop);
    bars.finish();
    let built = built?;
    if trains {
        let json = built.tokenizer.to_json()?;
        if let Err(error) = write::atomically(&out_tokenizer, json.as_bytes()) {
            std::fs::remove_dir_all(&options.out)?;
            return Err(error);
        }
    }
    if json {
        say!("{}", serde_json::to_string_pretty(&built.report)?);
    } else {
        print_table(&built.report);
        say!("dataset    {}", options.out.display());
        if trains {
            say!("tokenizer  {}", out_tokenizer.display());
        }
    }
    Ok(())
}

/// What the arguments mean.
fn meaning(args: Args) -> anyhow::Result<Options> {
    if !(0.0..=1.0).contains(&args.valid_proportion) {
        return Err(wrong_use("--valid-proportion must be from 0 to 1"));
    }
    let time = match args.time {
        Some(TimeArg::Performance) => Time::Performance,
        Some(TimeArg::Score) => Time::Score,
        None if args.preset == Preset::Performance => Time::Performance,
        None => Time::Score,
    };
    let tokenizer = match &args.tokenizer {
        Some(path) => TokenizerChoice::open(path)?,
        None => {
            let tokenizer =
                Tokenizer::new(config(&args)).map_err(|error| wrong_use(error.to_string()))?;
            TokenizerChoice::Train(Box::new(tokenizer.with_time(time)), args.vocab_size)
        }
    };
    Ok(Options {
        manifest: args.manifest.as_deref().map(Manifest::load).transpose()?,
        midis: args.midis_dir,
        out: args.out_dir,
        tokenizer,
        merge: match args.tracks {
            Tracks::Merge => Merge::All,
            Tracks::First => Merge::First,
        },
        valid_proportion: args.valid_proportion,
        seed: args.seed,
        strict: args.strict,
    })
}

fn config(args: &Args) -> Config {
    let mut config = match args.preset {
        Preset::Seed => Config::seed(),
        Preset::Performance => Config::performance(),
    };
    config.use_chords |= args.use_chords;
    config.use_tempos |= args.use_tempos;
    config.use_sustain_pedals |= args.use_sustain_pedal;
    if let Some(bins) = args.num_velocities {
        config.num_velocities = bins;
    }
    if let Some(Resolutions(table)) = &args.beat_res {
        config.beat_res = table.clone();
    }
    config
}

fn print_table(report: &Report) {
    say!("files      {}", report.files);
    say!(
        "pieces     {} ({} train, {} valid, {} test)",
        report.pieces,
        report.train_pieces,
        report.valid_pieces,
        report.test_pieces
    );
    say!("duplicates {}", report.duplicates.len());
    say!("failures   {}", report.failures.len());
    say!("damaged    {}", report.damaged.len());
    say!("notes      {}", report.notes);
    say!("hours      {:.1}", report.hours);
    say!(
        "tokens     {} base, {} after BPE",
        report.base_tokens,
        report.ids
    );
    say!("compression {:.2}", report.compression());
    say!("vocabulary {}", report.vocabulary);
    say!("seconds    {:.1}", report.elapsed_seconds);
}
