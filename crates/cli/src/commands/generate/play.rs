//! Draws the samples, follows their notes and ends them.

use std::sync::atomic::Ordering;
use std::time::Instant;

use generate::{Decoder, Finish, Follower, Grammar, Sample, Session, SessionOptions};
use indicatif::{ProgressBar, ProgressStyle};
use remi::{Token, Tokenizer};

use super::Args;
use super::limits::{Ended, Limits};
use super::prompt::Prompt;
use super::stream::Stream;
use crate::stop;
use crate::usage::wrong_use;

/// What was drawn, and how fast.
pub struct Made {
    pub samples: Vec<Drawn>,
    pub prefill_seconds: f64,
    pub decode_seconds: f64,
}

/// One sample.
pub struct Drawn {
    /// Base tokens of prompt and continuation, none begun and not completed.
    pub base: Vec<u16>,
    /// Base tokens and notes of the prompt.
    pub prompt_base: usize,
    pub prompt_notes: usize,
    /// Ids drawn.
    pub tokens: usize,
    pub ended: Ended,
}

/// Without any other limit a piece still ends somewhere.
const MOST_TOKENS: usize = 1_000_000;

/// A sample as it grows.
struct Growing<'a> {
    follower: Follower<'a>,
    limits: Limits,
    tokens: usize,
    /// The limit reached, and the base tokens within it.
    reached: Option<(Ended, usize)>,
}

/// Plays all samples to their ends.
pub fn play(
    args: &Args,
    tokenizer: &Tokenizer,
    engine: &mut dyn Decoder,
    prompt: &Prompt,
    mut stream: Stream,
) -> anyhow::Result<Made> {
    let stopped = stop::on_signal()?;
    let mut start = Follower::new(tokenizer, &prompt.tempos);
    prompt
        .ids
        .iter()
        .for_each(|id| start.push(*id, |_, _| true));
    let mut growing: Vec<Growing> = (0..args.num_samples)
        .map(|_| Growing {
            follower: start.clone(),
            limits: Limits::new(args, &start),
            tokens: 0,
            reached: None,
        })
        .collect();
    let samples = samples(args, tokenizer, prompt);
    let options = options(args, tokenizer, engine.config().vocab_size);
    let mut session =
        Session::new(engine, samples, options).map_err(|error| wrong_use(error.to_string()))?;
    if session.dropped(0) > 0 {
        eprintln!(
            "the prompt has {} tokens, more than the model's window: its last {} are used",
            prompt.ids.len(),
            prompt.ids.len() - session.dropped(0)
        );
    }
    let bar = progress(args);
    let began = Instant::now();
    session.prefill()?;
    let prefill_seconds = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let mut interrupted = false;
    while let Some(token) = session.next() {
        let token = token?;
        let sample = &mut growing[token.sample];
        sample.tokens += 1;
        let Growing {
            follower,
            limits,
            reached,
            ..
        } = sample;
        follower.push(token.id, |follower, event| {
            *reached = limits.reached(follower, event);
            let within = reached.is_none_or(|(ended, _)| ended == Ended::Notes);
            if let Some(event) = event.filter(|_| within) {
                // A reader that has gone away ends the music, not the file.
                interrupted |= stream.event(token.sample, follower, event).is_err();
            }
            reached.is_none()
        });
        bar.inc(1);
        if token.sample == 0 {
            let made = follower.seconds(follower.tick()) - start.seconds(start.tick());
            bar.set_message(format!("{made:.0} s of music"));
        }
        if reached.is_some() {
            session.stop(token.sample);
        }
        if interrupted || stopped.load(Ordering::Relaxed) {
            break;
        }
    }
    bar.finish_and_clear();
    let decode_seconds = began.elapsed().as_secs_f64();
    let finishes: Vec<_> = (0..growing.len()).map(|i| session.finish(i)).collect();
    let drawn = growing.into_iter().zip(finishes);
    Ok(Made {
        samples: drawn.map(|(g, finish)| g.drawn(finish, &start)).collect(),
        prefill_seconds,
        decode_seconds,
    })
}

impl Growing<'_> {
    fn drawn(self, finish: Option<Finish>, prompt: &Follower) -> Drawn {
        let natural = match finish {
            Some(Finish::End) => Ended::End,
            Some(Finish::MaxTokens) => Ended::Tokens,
            _ => Ended::Stopped,
        };
        let whole = self.follower.whole();
        let (ended, length) = self.reached.unwrap_or((natural, whole));
        let mut base = self.follower.base().to_vec();
        base.truncate(length.min(whole));
        Drawn {
            base,
            prompt_base: prompt.base().len(),
            prompt_notes: prompt.notes(),
            tokens: self.tokens,
            ended,
        }
    }
}

fn samples(args: &Args, tokenizer: &Tokenizer, prompt: &Prompt) -> Vec<Sample> {
    let grammar = (!args.free).then(|| remi::Grammar::new(tokenizer).for_piano());
    let state = || {
        let state = grammar.as_ref().map(remi::Grammar::start);
        state.map(|state| Box::new(state) as Box<dyn Grammar>)
    };
    let sample = |index| Sample {
        prompt: prompt.ids.clone(),
        seed: args.seed.wrapping_add(index),
        grammar: state(),
    };
    (0..u64::from(args.num_samples)).map(sample).collect()
}

fn options(args: &Args, tokenizer: &Tokenizer, vocabulary: usize) -> SessionOptions {
    let specials = 0..tokenizer.config().special_tokens.len() as u32;
    // Ids of the model that the tokenizer does not have.
    let beyond = tokenizer.len() as u32..vocabulary as u32;
    let end = tokenizer.special("EOS_None").unwrap_or(model::EOS);
    let begins_bar = begins_bar(tokenizer);
    SessionOptions {
        sampler: args.sampler(),
        max_tokens: Some(args.max_tokens().unwrap_or(MOST_TOKENS)),
        bos: tokenizer.special("BOS_None").unwrap_or(model::BOS),
        end: (!args.no_end).then_some(end),
        never: specials
            .filter(|id| args.no_end || *id != end)
            .chain(beyond)
            .collect(),
        stop: None,
        boundary: Box::new(move |id| begins_bar.get(id as usize) == Some(&true)),
    }
}

/// For each id, whether it begins a bar.
fn begins_bar(tokenizer: &Tokenizer) -> Vec<bool> {
    let first = |id: usize| tokenizer.expand(&[id as u32]).0.first().copied();
    let is_bar = |base: u16| matches!(tokenizer.vocabulary().token(base), Some(Token::Bar(_)));
    (0..tokenizer.len())
        .map(|id| first(id).is_some_and(is_bar))
        .collect()
}

fn progress(args: &Args) -> ProgressBar {
    if args.stream {
        return ProgressBar::hidden();
    }
    let template = "{pos} tokens, {per_sec:.0}, {msg}, {elapsed}";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
