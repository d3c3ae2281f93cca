//! An instrument that plays a score from beginning to silence.

use score::Score;

use crate::events::{Event, EventKind, events};
use crate::{Instrument, Limiter, RenderError};

/// Samples that are worked out between looks at the end.
const BLOCK: usize = 1024;
/// After the last message sound may go on for so many seconds, of which it fades
/// during the last.
const LONGEST_TAIL: u64 = 12;
const FADE: u64 = 2;

/// A performance in blocks; memory does not depend on its length, but for the
/// messages. Nothing is louder than a decibel under full scale.
pub struct Performance<I> {
    instrument: I,
    events: std::iter::Peekable<std::vec::IntoIter<Event>>,
    limiter: Limiter,
    gain: f32,
    left: Vec<f32>,
    right: Vec<f32>,
    at: u64,
    /// Samples still to come once the instrument is silent or its time over.
    rest: usize,
    /// Samples of the limiter's latency still to be left out.
    early: usize,
    sample_rate: u32,
    /// When the last message is due.
    end: u64,
}

impl<I: Instrument> Performance<I> {
    /// Plays a score at a sample rate in Hz, which has to be the instrument's.
    /// Loudness is multiplied by `gain` before the limiter.
    pub fn new(score: &Score, instrument: I, sample_rate: u32, gain: f32) -> Self {
        let events = events(score, sample_rate, instrument.has_drums());
        let limiter = Limiter::new(sample_rate);
        let end = events.last().map_or(0, |event| event.sample);
        Self {
            instrument,
            events: events.into_iter().peekable(),
            gain,
            left: Vec::with_capacity(BLOCK),
            right: Vec::with_capacity(BLOCK),
            at: 0,
            rest: limiter.latency(),
            early: limiter.latency(),
            limiter,
            sample_rate,
            end,
        }
    }

    /// The next samples of left and right, or nothing at the end: when the last
    /// message is through and the instrument silent.
    pub fn next_block(&mut self) -> Option<(&[f32], &[f32])> {
        let mut samples = BLOCK;
        let over = self.events.peek().is_none();
        if over && (self.instrument.is_silent() || fade(self.at, self.end, self.sample_rate) <= 0.0)
        {
            samples = self.rest.min(BLOCK);
            self.rest -= samples;
        }
        if samples == 0 {
            return None;
        }
        self.left.resize(samples, 0.0);
        self.right.resize(samples, 0.0);
        let began = self.at;
        self.play(samples);
        for (index, (left, right)) in self.left.iter_mut().zip(&mut self.right).enumerate() {
            let gain = self.gain * fade(began + index as u64, self.end, self.sample_rate);
            *left *= gain;
            *right *= gain;
        }
        self.limiter.process(&mut self.left, &mut self.right);
        let early = self.early.min(samples);
        self.early -= early;
        Some((&self.left[early..], &self.right[early..]))
    }

    /// Samples a second, in Hz.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Samples up to the last message; the sound goes on for a while after it.
    pub fn samples_of_score(&self) -> u64 {
        self.end
    }

    /// Whether the instrument played all that was asked of it.
    ///
    /// # Errors
    /// [`RenderError::SoundFont`] where its sounds turned out to be damaged.
    pub fn check(&self) -> Result<(), RenderError> {
        match self.instrument.is_broken() {
            true => Err(RenderError::damaged_soundfont()),
            false => Ok(()),
        }
    }

    fn play(&mut self, samples: usize) {
        let mut from = 0;
        while from < samples {
            while let Some(event) = self.events.next_if(|event| event.sample <= self.at) {
                play(&mut self.instrument, event);
            }
            let next = self.events.peek().map_or(u64::MAX, |event| event.sample);
            let until = (next - self.at).min((samples - from) as u64) as usize;
            let (left, right) = (&mut self.left[from..], &mut self.right[from..]);
            self.instrument
                .process(&mut left[..until], &mut right[..until]);
            from += until;
            self.at += until as u64;
        }
    }
}

fn play(instrument: &mut impl Instrument, event: Event) {
    let part = event.part;
    match event.kind {
        EventKind::NoteOn { key, velocity } => instrument.note_on(part, key, velocity),
        EventKind::NoteOff { key } => instrument.note_off(part, key),
        EventKind::PedalDown => instrument.pedal(part, true),
        EventKind::PedalUp => instrument.pedal(part, false),
    }
}

/// Gain at a sample: one, but for the end of a tail that goes on too long.
fn fade(at: u64, end: u64, sample_rate: u32) -> f32 {
    let rate = u64::from(sample_rate.max(1));
    let last = end.saturating_add(LONGEST_TAIL * rate);
    let left = last.saturating_sub(at).min(FADE * rate);
    left as f32 / (FADE * rate) as f32
}
