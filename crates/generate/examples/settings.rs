//! How sampling settings change the music: validation pieces are continued, and
//! what comes is measured beside what the pieces themselves do there.
//!
//! `cargo run --release -p generate --example settings MODEL_FOLDER DATASET [pieces]`
//!
//! Columns: notes a second; notes that sound at once; mean velocity; entropy of
//! pitch classes in bits; share of distinct runs of four notes (pitches and
//! distances); pieces that are stuck (fewer than half of the last 100 runs are
//! distinct), that ended themselves, and longest run of notes taken from the prompt;
//! all as means. The distance is the mean, over the first five, of the difference
//! from the pieces in standard deviations of the pieces (at least a hundredth of
//! their mean).

use corpus::{Dataset, Split};
use figures::longest_common_run;
use generate::{
    Engine, EngineOptions, Event, Finish, Follower, Sample, SamplerOptions, Session,
    SessionOptions, WeightFormat,
};
use model::{BOS, ModelFolder};
use remi::{Grammar, Scratch, Tokenizer};
use score::{Note, Score, Track, measure};
use std::collections::HashSet;

const PROMPT: usize = 128;
const NEW: usize = 512;
const TOGETHER: usize = 8;

/// Of one continuation; the first five make the distance.
type Figures = [f64; 8];
const COMPARED: usize = 5;

/// The notes of `ids` and of `continuation` after them.
fn notes(tokenizer: &Tokenizer, ids: &[u32], continuation: &[u32]) -> [Vec<Note>; 2] {
    let mut follower = Follower::new(tokenizer, &[]);
    [ids, continuation].map(|ids| {
        let mut notes = Vec::new();
        for id in ids {
            follower.push(*id, |_, event| {
                notes.extend(event.and_then(|event| match event {
                    Event::Note(note) => Some(note),
                    _ => None,
                }));
                true
            });
        }
        notes
    })
}

fn figures(tokenizer: &Tokenizer, [prompt, mut new]: [Vec<Note>; 2], ended: bool) -> Figures {
    let copied = longest_common_run(&new, &prompt) as f64;
    let first = new.first().map_or(0, |note| note.onset);
    new.iter_mut().for_each(|note| note.onset -= first);
    let runs: Vec<[(u8, u32); 4]> = new
        .windows(5)
        .map(|five| std::array::from_fn(|i| (five[i + 1].pitch, five[i + 1].onset - five[i].onset)))
        .collect();
    let distinct = |runs: &[[(u8, u32); 4]]| {
        let count = runs.iter().collect::<HashSet<_>>().len();
        count as f64 / runs.len().max(1) as f64
    };
    let stuck = runs.is_empty() || distinct(&runs[runs.len().saturating_sub(100)..]) < 0.5;
    let mut classes = [0.0; 12];
    new.iter()
        .for_each(|note| classes[usize::from(note.pitch % 12)] += 1.0 / new.len() as f64);
    let entropy = classes.iter().filter(|p| **p > 0.0);
    let entropy = entropy.map(|p: &f64| -p * p.log2()).sum();
    let mut track = Track::piano();
    track.notes = new;
    let mut score = Score::new(tokenizer.decode_base(&[]).score.ticks_per_quarter);
    score.tracks.push(track);
    let whole = measure(&score);
    [
        whole.notes as f64 / whole.seconds.max(0.1),
        whole.mean_polyphony,
        whole.mean_velocity,
        entropy,
        distinct(&runs),
        f64::from(stuck),
        f64::from(ended),
        copied,
    ]
}

/// Means, and standard deviations.
fn means(all: &[Figures]) -> (Figures, Figures) {
    let mean = |f: &dyn Fn(&Figures) -> f64| all.iter().map(f).sum::<f64>() / all.len() as f64;
    let means: Figures = std::array::from_fn(|i| mean(&|figures| figures[i]));
    let deviation = |i: usize| mean(&|figures| (figures[i] - means[i]).powi(2)).sqrt();
    (means, std::array::from_fn(deviation))
}

fn print(name: &str, means: Figures, distance: f64) {
    let [
        density,
        polyphony,
        velocity,
        entropy,
        distinct,
        stuck,
        ended,
        copied,
    ] = means;
    println!(
        "| {name} | {density:.1} | {polyphony:.2} | {velocity:.0} | {entropy:.2} | {distinct:.3} | {:.0} % | {:.0} % | {copied:.1} | {distance:.2} |",
        100.0 * stuck,
        100.0 * ended
    );
}

fn settings() -> Vec<SamplerOptions> {
    let plain = SamplerOptions::default();
    let mut all = Vec::new();
    for temperature in [0.8, 0.9, 1.0, 1.1] {
        let at = |options| SamplerOptions {
            temperature,
            ..options
        };
        all.push(at(plain.clone()));
        all.extend([0.9, 0.95, 0.98].map(|top_p| {
            at(SamplerOptions {
                top_p,
                ..plain.clone()
            })
        }));
        all.extend([0.02, 0.05].map(|min_p| {
            at(SamplerOptions {
                min_p,
                ..plain.clone()
            })
        }));
    }
    all.extend([20, 40, 100, 400].map(|top_k| SamplerOptions {
        top_k,
        ..plain.clone()
    }));
    all.push(SamplerOptions {
        repetition_penalty: 1.1,
        ..plain.clone()
    });
    all.push(SamplerOptions {
        temperature: 0.0,
        ..plain
    });
    all
}

fn name(options: &SamplerOptions) -> String {
    let mut name = format!("temperature {}", options.temperature);
    if options.top_p < 1.0 {
        name += &format!(", top-p {}", options.top_p);
    }
    if options.min_p > 0.0 {
        name += &format!(", min-p {}", options.min_p);
    }
    if options.top_k > 0 {
        name += &format!(", top-k {}", options.top_k);
    }
    if options.repetition_penalty != 1.0 {
        name += &format!(", penalty {}", options.repetition_penalty);
    }
    name
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().ok_or("name a model folder")?;
    let dataset = arguments.next().ok_or("name a dataset folder")?;
    let count = arguments
        .next()
        .map_or("64".into(), |text| text.to_string_lossy().into_owned());
    let folder = ModelFolder::read(folder.as_ref())?;
    let dataset = Dataset::open(dataset.as_ref())?;
    let tokenizer = dataset.tokenizer();
    let is_validation = |index: &usize| dataset.pieces()[*index].split == Split::Valid;
    let mut pieces: Vec<Vec<u32>> = Vec::new();
    for index in (0..dataset.pieces().len()).filter(is_validation) {
        let ids = tokenizer.apply_bpe(&dataset.base_tokens(index)?, &mut Scratch::default());
        if ids.len() >= PROMPT + NEW && pieces.len() < count.parse()? {
            pieces.push([&[BOS], &ids[..PROMPT + NEW]].concat());
        }
    }
    let options = EngineOptions {
        format: WeightFormat::Bf16,
        sequences: TOGETHER,
        ..EngineOptions::default()
    };
    let mut engine = Engine::new(&folder.config, folder.weights, options)?;
    let grammar = Grammar::new(tokenizer).for_piano();
    println!("{} pieces, {NEW} tokens after {PROMPT}\n", pieces.len());
    println!(
        "| setting | notes/s | polyphony | velocity | entropy | distinct | stuck | ended | copied | distance |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let split = |piece: &Vec<u32>| notes(tokenizer, &piece[..=PROMPT], &piece[PROMPT + 1..]);
    let (real, spread) = means(
        &pieces
            .iter()
            .map(|p| figures(tokenizer, split(p), false))
            .collect::<Vec<_>>(),
    );
    print("the pieces", real, 0.0);
    for sampler in settings() {
        let mut all = Vec::new();
        for pieces in pieces.chunks(TOGETHER) {
            let sample = |(seed, piece): (u64, &Vec<u32>)| Sample {
                prompt: piece[..=PROMPT].to_vec(),
                seed,
                grammar: Some(Box::new(grammar.start())),
            };
            let options = SessionOptions {
                sampler: sampler.clone(),
                max_tokens: Some(NEW),
                ..SessionOptions::default()
            };
            let samples = (0..).zip(pieces).map(sample).collect();
            let mut session = Session::new(&mut engine, samples, options)?;
            let mut drawn = vec![Vec::new(); pieces.len()];
            for token in session.by_ref() {
                let token = token?;
                drawn[token.sample].push(token.id);
            }
            for (index, (piece, ids)) in pieces.iter().zip(&drawn).enumerate() {
                let ended = session.finish(index) == Some(Finish::End);
                let notes = notes(tokenizer, &piece[..=PROMPT], ids);
                all.push(figures(tokenizer, notes, ended));
            }
        }
        let (found, _) = means(&all);
        let apart = |i: usize| (found[i] - real[i]).abs() / spread[i].max(0.01 * real[i]);
        print(
            &name(&sampler),
            found,
            (0..COMPARED).map(apart).sum::<f64>() / COMPARED as f64,
        );
    }
    Ok(())
}
