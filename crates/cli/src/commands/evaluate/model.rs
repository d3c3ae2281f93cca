//! How well a model foresees music.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use corpus::{Dataset, piano_score};
use model::folder::{CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, read_config};
use model::{Compute, ModelFolder, Network, Precision, Score, Weights};
use remi::Tokenizer;
use score::{Merge, measure, read_midi};
use serde::{Deserialize, Serialize};
use train::{Baseline, Chunks, Sets, five_gram_nats};

use super::Args;
use crate::built_in;
use crate::device;
use crate::progress;
use crate::say;
use crate::tokenizer::of_model;
use crate::usage::wrong_use;

/// A sequence to score.
struct Piece {
    name: String,
    ids: Vec<u32>,
    notes: usize,
    seconds: f64,
}

/// What counting foresees, in nats per token.
#[derive(Clone, Copy)]
struct Baselines {
    nats: train::Nats,
    five_gram: f64,
}

/// Figures of one piece, or of all.
#[derive(Clone, Debug, Default, Serialize)]
struct Figures {
    name: String,
    /// Sum of the negative log-likelihoods, in nats.
    nll: f64,
    tokens: usize,
    nats_per_token: f64,
    perplexity: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nats_per_note: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nats_per_second: Option<f64>,
    accuracy: f64,
    top5: f64,
}

#[derive(Serialize)]
struct Report {
    all: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    unigram_nats_per_token: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bigram_nats_per_token: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    five_gram_nats_per_token: Option<f64>,
    pieces: Vec<Figures>,
}

/// Evaluates the model of a folder.
///
/// # Errors
/// Where the folder or what to evaluate on cannot be read, or they do not belong
/// together.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let device = device::open(args.device)?.device;
    let (config, weights, pieces, baselines) = match (&args.ids, &args.model) {
        (Some(ids), Some(path)) => {
            // Ids are scored as they are, so the tokenizer need not be there.
            let folder = train::checkpoint::resolve(path)?;
            let config = read_config(&folder.join(CONFIG_FILE))?;
            let weights = Weights::read(&folder.join(WEIGHTS_FILE))?;
            (config, weights, of_lines(ids)?, None)
        }
        (Some(ids), None) => {
            let model = built_in::or_folder(None)?;
            (model.config, model.weights, of_lines(ids)?, None)
        }
        (None, path) => {
            let path = path.as_deref();
            let model = built_in::or_folder(path)?;
            let name = path.unwrap_or(Path::new(built_in::NAME));
            let file = name.join(TOKENIZER_FILE);
            let tokenizer = of_model(&model.config, &model.tokenizer, &file)?;
            let (pieces, baselines) = match &args.dataset {
                Some(dataset) => of_dataset(args, &Dataset::open(dataset)?, name, &model)?,
                None => (of_midis(&args.midis, &tokenizer)?, None),
            };
            (model.config, model.weights, pieces, baselines)
        }
    };
    let compute = Compute {
        fused: true,
        precision: Precision::F32,
        training: false,
    };
    let mut model = Network::new(&config, weights, &device, compute)?;
    let sequences: Vec<&[u32]> = pieces.iter().map(|piece| piece.ids.as_slice()).collect();
    let bar = progress::bar(0, "windows");
    let scores = train::evaluate(&mut model, &sequences, args.batch_size, |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    report(args, &pieces, &scores, baselines)
}

fn of_dataset(
    args: &Args,
    dataset: &Dataset,
    path: &Path,
    model: &ModelFolder,
) -> anyhow::Result<(Vec<Piece>, Option<Baselines>)> {
    let file = dataset.folder().join(TOKENIZER_FILE);
    let tokenizer = std::fs::read(&file).with_context(|| file.display().to_string())?;
    model.check_tokenizer(path, &file, &tokenizer)?;
    let framed = |indices: &[usize]| -> anyhow::Result<Vec<Vec<u32>>> {
        let ids = train::read_pieces(dataset, indices)?.into_iter();
        Ok(ids.map(|ids| Chunks::Windows.frame(ids)).collect())
    };
    let sets = Sets::new(dataset, 1.0, args.val_proportion);
    let valid = framed(&sets.valid)?;
    if valid.is_empty() {
        return Err(wrong_use(
            "the dataset has no validation pieces; hold some out by --val-proportion, as the model's training did",
        ));
    }
    let train = framed(&sets.train)?;
    let vocab_size = model.config.vocab_size;
    let baselines = Baselines {
        nats: Baseline::count(vocab_size, &train).nats(&valid),
        five_gram: five_gram_nats(vocab_size, &train, &valid),
    };
    let described = sets.valid.iter().map(|index| &dataset.pieces()[*index]);
    let pieces = described.zip(valid).map(|(piece, ids)| Piece {
        name: piece.source.clone(),
        ids,
        notes: piece.notes,
        seconds: piece.seconds,
    });
    Ok((pieces.collect(), Some(baselines)))
}

#[derive(Deserialize)]
struct Line {
    ids: Vec<u32>,
}

fn of_lines(path: &Path) -> anyhow::Result<Vec<Piece>> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(name)?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let name = format!("{}:{}", name(), number + 1);
            let Line { ids } = serde_json::from_str(line).with_context(|| {
                format!("{name} is no line of ids; write {{\"ids\": [1, 5, 60]}}")
            })?;
            Ok(Piece {
                name,
                ids,
                notes: 0,
                seconds: 0.0,
            })
        })
        .collect()
}

fn of_midis(paths: &[PathBuf], tokenizer: &Tokenizer) -> anyhow::Result<Vec<Piece>> {
    if paths.is_empty() {
        return Err(wrong_use(
            "name what to evaluate on: --dataset DIR, --ids FILE or MIDI files (or describe music by --music DIR)",
        ));
    }
    let piece = |path: &PathBuf| {
        let name = path.display().to_string();
        let reading = read_midi(&std::fs::read(path).with_context(|| name.clone())?)
            .with_context(|| name.clone())?;
        let piano = piano_score(&reading.score, Merge::All, tokenizer.time())
            .with_context(|| format!("{name} has no piano notes"))?;
        let ids = tokenizer
            .encode(&piano)?
            .into_iter()
            .next()
            .unwrap_or_default();
        let figures = measure(&piano);
        Ok(Piece {
            name,
            ids: Chunks::Windows.frame(ids),
            notes: figures.notes,
            seconds: figures.seconds,
        })
    };
    paths.iter().map(piece).collect()
}

fn figures(name: &str, score: &Score, notes: usize, seconds: f64) -> Figures {
    let share = |count: usize| count as f64 / score.tokens.max(1) as f64;
    let nats_per_token = score.nll / score.tokens.max(1) as f64;
    Figures {
        name: name.to_owned(),
        nll: score.nll,
        tokens: score.tokens,
        nats_per_token,
        perplexity: nats_per_token.exp(),
        nats_per_note: (notes > 0).then(|| score.nll / notes as f64),
        nats_per_second: (seconds > 0.0).then(|| score.nll / seconds),
        accuracy: share(score.correct),
        top5: share(score.top5),
    }
}

fn report(
    args: &Args,
    pieces: &[Piece],
    scores: &[Score],
    baselines: Option<Baselines>,
) -> anyhow::Result<()> {
    let mut total = Score::default();
    scores.iter().for_each(|score| total.add(score));
    let notes = pieces.iter().map(|piece| piece.notes).sum();
    let seconds = pieces.iter().map(|piece| piece.seconds).sum();
    let each = pieces.iter().zip(scores);
    let report = Report {
        all: figures("all", &total, notes, seconds),
        unigram_nats_per_token: baselines.map(|baselines| baselines.nats.unigram),
        bigram_nats_per_token: baselines.map(|baselines| baselines.nats.bigram),
        five_gram_nats_per_token: baselines.map(|baselines| baselines.five_gram),
        pieces: each
            .map(|(piece, score)| figures(&piece.name, score, piece.notes, piece.seconds))
            .collect(),
    };
    if args.json {
        // The report is the result: where it cannot be written, that is an error.
        writeln!(
            std::io::stdout().lock(),
            "{}",
            serde_json::to_string(&report)?
        )?;
        return Ok(());
    }
    for piece in &report.pieces {
        say!(
            "{:.4} nats a token, {} tokens  {}",
            piece.nats_per_token,
            piece.tokens,
            piece.name
        );
    }
    let all = &report.all;
    say!("pieces      {}", pieces.len());
    say!("tokens      {}", all.tokens);
    say!(
        "nats        {:.4} a token, perplexity {:.1}",
        all.nats_per_token,
        all.perplexity
    );
    if let (Some(note), Some(second)) = (all.nats_per_note, all.nats_per_second) {
        say!("            {note:.4} a note, {second:.4} a second");
    }
    say!(
        "accuracy    {:.2} %, top-5 {:.2} %",
        100.0 * all.accuracy,
        100.0 * all.top5
    );
    if let Some(Baselines { nats, five_gram }) = baselines {
        say!(
            "to compare  {:.4} by frequencies alone, {:.4} by pairs, {five_gram:.4} by runs of five",
            nats.unigram,
            nats.bigram
        );
    }
    Ok(())
}
