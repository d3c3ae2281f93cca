//! One generation from its prompt to its MIDI files.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use figures::longest_common_run;
use generate::{Decoder, Drawn, Ended, PieceOptions, Pieces, Prompt};
use score::{measure, write_midi};

use super::events::{Message, Piece, Why};
use super::prompt;
use super::queue::Job;
use crate::limits::Limits;
use crate::models::Model;
use crate::problem::Problem;

/// Does a job; the client is told all but the error.
pub(super) fn run(
    job: &Job,
    model: &Model,
    engine: &mut dyn Decoder,
    limits: &Limits,
) -> Result<(), Problem> {
    let tokenizer = model.tokenizer();
    let options = &job.request.options;
    let prompt = prompt::read(job.request.prompt.as_ref(), tokenizer, limits)?;
    let engine_failed = |error| Problem::internal(format!("the model failed: {error}"));
    let pieces = Pieces::new(engine, tokenizer, model.rules(), &prompt, options);
    let mut pieces = pieces.map_err(engine_failed)?;
    begin(job, model, &prompt, pieces.unseen());
    let began = Instant::now();
    let deadline = began + Duration::from_secs(limits.generation_seconds);
    pieces.prefill().map_err(engine_failed)?;
    let prefilled = began.elapsed();
    let mut late = false;
    while !job.is_stopped() && !late {
        let drawn = pieces.draw(|piece, follower, event| {
            let messages = Message::of(piece, follower, event);
            messages.into_iter().flatten().for_each(|m| job.tell(m));
        });
        match drawn {
            Some(drawn) => drawn.map_err(engine_failed)?,
            None => break,
        };
        late = Instant::now() > deadline;
    }
    let decoded = began.elapsed() - prefilled;
    let mut tokens = 0;
    for (variation, drawn) in pieces.finish().into_iter().enumerate() {
        tokens += drawn.tokens;
        let why = match drawn.ended {
            Ended::Stopped if late => Why::Time("time"),
            ended => Why::Ended(ended),
        };
        let piece = finished(variation, &drawn, why, model, &prompt, options)?;
        job.tell(Message::Piece(Box::new(piece)));
    }
    job.tell(Message::Done {
        tokens,
        prefill_seconds: prefilled.as_secs_f64(),
        decode_seconds: decoded.as_secs_f64(),
    });
    Ok(())
}

/// Tells that it begins, with the prompt as the model knows it.
fn begin(job: &Job, model: &Model, prompt: &Prompt, unseen_tokens: usize) {
    let options = &job.request.options;
    let (notes, pedal_down) = prompt::notes(prompt, model.tokenizer());
    job.tell(Message::Begin {
        id: job.id.clone(),
        model: model.name().to_owned(),
        seed: options.seed,
        variations: options.pieces,
        prompt: notes,
        unseen_tokens,
    });
    let Some(onset) = pedal_down else {
        return;
    };
    for variation in 0..options.pieces {
        job.tell(Message::Pedal {
            variation,
            onset,
            down: true,
        });
    }
}

fn finished(
    variation: usize,
    drawn: &Drawn,
    ended: Why,
    model: &Model,
    prompt: &Prompt,
    options: &PieceOptions,
) -> Result<Piece, Problem> {
    let music = drawn.music(model.tokenizer(), prompt, false);
    let midi = write_midi(&music.score);
    let midi = midi.map_err(|error| Problem::internal(error.to_string()))?;
    let figures = measure(&music.score);
    Ok(Piece {
        variation,
        seed: options.seed.wrapping_add(variation as u64),
        ended,
        tokens: drawn.tokens,
        notes: figures.notes,
        new_notes: music.generated.len(),
        seconds: figures.seconds,
        lowest_pitch: figures.lowest,
        highest_pitch: figures.highest,
        polyphony: figures.polyphony,
        copied_notes: longest_common_run(&music.generated, &music.prompt),
        midi: STANDARD.encode(midi),
    })
}
