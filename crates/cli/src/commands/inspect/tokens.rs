//! What a tokenizer or a dataset holds.

use std::path::Path;

use crate::say;
use corpus::{Dataset, Split, open_tokenizer};
use remi::{Config, Time, Tokenizer};
use serde::Serialize;

#[derive(Serialize)]
struct TokenizerLine {
    file: String,
    base_tokens: usize,
    ids: usize,
    merges: usize,
    time: Time,
    config: serde_json::Value,
}

#[derive(Serialize)]
struct DatasetLine {
    folder: String,
    train: Figures,
    valid: Figures,
    test: Figures,
    tokenizer: TokenizerLine,
}

#[derive(Default, Serialize)]
struct Figures {
    pieces: usize,
    notes: usize,
    hours: f64,
    base_tokens: u64,
}

/// Shows a tokenizer file, or that of a folder.
///
/// # Errors
/// Where it cannot be read.
pub fn show_tokenizer(path: &Path, json: bool) -> anyhow::Result<()> {
    let tokenizer = open_tokenizer(path)?;
    let line = tokenizer_line(path, &tokenizer)?;
    if json {
        say!("{}", serde_json::to_string(&line)?);
    } else {
        say!("{}", line.file);
        print_tokenizer(&line, tokenizer.config());
    }
    Ok(())
}

/// Shows a dataset folder.
///
/// # Errors
/// Where it cannot be read or is damaged.
pub fn show_dataset(folder: &Path, json: bool) -> anyhow::Result<()> {
    let dataset = Dataset::open(folder)?;
    let figures = |split: Split| {
        let mut figures = Figures::default();
        for piece in dataset.pieces().iter().filter(|piece| piece.split == split) {
            figures.pieces += 1;
            figures.notes += piece.notes;
            figures.hours += piece.seconds / 3600.0;
            figures.base_tokens += piece.tokens;
        }
        figures
    };
    let line = DatasetLine {
        folder: folder.display().to_string(),
        train: figures(Split::Train),
        valid: figures(Split::Valid),
        test: figures(Split::Test),
        tokenizer: tokenizer_line(folder, dataset.tokenizer())?,
    };
    if json {
        say!("{}", serde_json::to_string(&line)?);
        return Ok(());
    }
    say!("{}", line.folder);
    for (name, figures) in [
        ("train", &line.train),
        ("valid", &line.valid),
        ("test", &line.test),
    ] {
        say!(
            "  {name:10} {} pieces, {} notes, {:.1} hours, {} base tokens",
            figures.pieces,
            figures.notes,
            figures.hours,
            figures.base_tokens
        );
    }
    print_tokenizer(&line.tokenizer, dataset.tokenizer().config());
    Ok(())
}

fn tokenizer_line(path: &Path, tokenizer: &Tokenizer) -> anyhow::Result<TokenizerLine> {
    let file: serde_json::Value = serde_json::from_str(&tokenizer.to_json()?)?;
    let base_tokens = tokenizer.vocabulary().len();
    Ok(TokenizerLine {
        file: path.display().to_string(),
        base_tokens,
        ids: tokenizer.len(),
        merges: tokenizer
            .bpe()
            .map_or(0, |bpe| bpe.len().saturating_sub(base_tokens + 1)),
        time: tokenizer.time(),
        config: file["config"].clone(),
    })
}

fn print_tokenizer(line: &TokenizerLine, config: &Config) {
    say!(
        "  vocabulary {} ids: {} base tokens, {} merges",
        line.ids,
        line.base_tokens,
        line.merges
    );
    say!(
        "  time       {}",
        match line.time {
            Time::Score => "of the score",
            Time::Performance => "real, at 120 beats a minute",
        }
    );
    say!(
        "  pitches    {} to {}",
        config.pitch_range.0,
        config.pitch_range.1
    );
    let range =
        |r: &remi::BeatResolution| format!("{} a beat from {} to {}", r.positions, r.from, r.to);
    let grid: Vec<String> = config.beat_res.iter().map(range).collect();
    say!("  grid       {}", grid.join(", "));
    let told = [
        (
            config.use_velocities,
            format!("{} velocities", config.num_velocities),
        ),
        (config.uses_durations(), "durations".to_owned()),
        (config.use_sustain_pedals, "sustain pedal".to_owned()),
        (config.use_tempos, format!("{} tempos", config.num_tempos)),
        (config.use_time_signatures, "time signatures".to_owned()),
        (config.use_chords, "chords".to_owned()),
        (config.use_rests, "rests".to_owned()),
    ];
    let told: Vec<String> = told
        .into_iter()
        .filter(|(used, _)| *used)
        .map(|(_, name)| name)
        .collect();
    say!("  tells      {}", told.join(", "));
}
