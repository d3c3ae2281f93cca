//! What was made, in words or as JSON.

use std::io::{self, Write};
use std::path::Path;

use figures::longest_common_run;
use generate::{Drawn, Ended, Music, Prompt};
use score::measure;
use serde::Serialize;

use super::play::Made;

/// One sample; figures of music are those of its file.
#[derive(Serialize)]
pub struct Sample {
    file: String,
    seed: u64,
    tokens: usize,
    notes: usize,
    new_notes: usize,
    seconds: f64,
    lowest_pitch: Option<u8>,
    highest_pitch: Option<u8>,
    polyphony: usize,
    /// Most notes in a row that are also in the prompt.
    copied_notes: usize,
    senseless_tokens: usize,
    finish: Ended,
}

/// All samples and how fast they came.
#[derive(Serialize)]
pub struct Summary {
    prompt_tokens: usize,
    tokens: usize,
    prefill_seconds: f64,
    decode_seconds: f64,
    tokens_per_second: f64,
    files: Vec<String>,
    notes: usize,
    samples: Vec<Sample>,
}

impl Sample {
    /// Measures a sample.
    pub fn new(file: &Path, seed: u64, drawn: &Drawn, result: &Music) -> Self {
        let figures = measure(&result.score);
        Self {
            file: file.display().to_string(),
            seed,
            tokens: drawn.tokens,
            notes: figures.notes,
            new_notes: result.generated.len(),
            seconds: figures.seconds,
            lowest_pitch: figures.lowest,
            highest_pitch: figures.highest,
            polyphony: figures.polyphony,
            copied_notes: longest_common_run(&result.generated, &result.prompt),
            senseless_tokens: result.senseless,
            finish: drawn.ended,
        }
    }

    fn in_words(&self) -> Vec<String> {
        let pitches = match (self.lowest_pitch, self.highest_pitch) {
            (Some(lowest), Some(highest)) => format!(", pitches {lowest} to {highest}"),
            _ => String::new(),
        };
        let mut lines = vec![
            self.file.clone(),
            format!(
                "  {} notes, {} of them new, {:.1} seconds{pitches}, at most {} at once; seed {}",
                self.notes, self.new_notes, self.seconds, self.polyphony, self.seed
            ),
        ];
        if self.copied_notes > 1 {
            lines.push(format!(
                "  at most {} notes in a row are the prompt's",
                self.copied_notes
            ));
        }
        if self.senseless_tokens > 0 {
            lines.push(format!(
                "  {} tokens made no sense where they stood and were left out",
                self.senseless_tokens
            ));
        }
        if self.new_notes == 0 {
            let remedy = match self.finish {
                Ended::End => "the model ended the piece at once; go on by --no-end",
                _ => "no note was completed; allow more by --max-to-generate",
            };
            lines.push(format!("  {remedy}"));
        }
        lines
    }
}

impl Summary {
    /// Sums up; the beginning of a piece is not counted as prompt.
    pub fn new(prompt: &Prompt, made: &Made, samples: Vec<Sample>) -> Self {
        let tokens = samples.iter().map(|sample| sample.tokens).sum();
        Self {
            prompt_tokens: prompt.ids.len() - 1,
            tokens,
            prefill_seconds: made.prefill_seconds,
            decode_seconds: made.decode_seconds,
            tokens_per_second: tokens as f64 / made.decode_seconds.max(1e-9),
            files: samples.iter().map(|sample| sample.file.clone()).collect(),
            notes: samples.iter().map(|sample| sample.notes).sum(),
            samples,
        }
    }

    /// Prints to standard output; words go to standard error where notes are
    /// streamed.
    pub fn print(&self, json: bool, streamed: bool) -> anyhow::Result<()> {
        let text = match json {
            true => serde_json::to_string(self)?,
            false => self.in_words().join("\n"),
        };
        let written = match streamed && !json {
            true => writeln!(io::stderr(), "{text}"),
            false => writeln!(io::stdout(), "{text}"),
        };
        match written {
            // The files are written; who does not want to know need not.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    fn in_words(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.samples.iter().flat_map(Sample::in_words).collect();
        lines.push(format!(
            "{} tokens after a prompt of {}, {:.0} a second",
            self.tokens, self.prompt_tokens, self.tokens_per_second
        ));
        lines
    }
}
