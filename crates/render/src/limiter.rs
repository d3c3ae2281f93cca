//! A limiter that looks ahead, so that nothing is ever cut off.

use std::collections::VecDeque;

/// Loudest sample that is let through: a decibel under full scale.
const CEILING: f32 = 0.891;
/// How far it looks ahead, in seconds.
const LOOK_AHEAD: f64 = 0.005;
/// Time in which it lets go by two thirds, in seconds.
const RELEASE: f64 = 0.15;

/// Lowers the gain before a peak arrives and raises it slowly after. Sound
/// below the ceiling passes unchanged, a few milliseconds late.
pub struct Limiter {
    delay: VecDeque<(f32, f32)>,
    /// Gains wanted within the look-ahead, falling ones only: the first is the
    /// least.
    wanted: VecDeque<(u64, f64)>,
    /// The gains that are averaged, and their sum.
    recent: VecDeque<f64>,
    sum: f64,
    gain: f64,
    release: f64,
    window: usize,
    at: u64,
}

impl Limiter {
    /// A limiter at rest; the sample rate is in Hz.
    pub fn new(sample_rate: u32) -> Self {
        let rate = f64::from(sample_rate.max(1));
        let window = ((LOOK_AHEAD * rate) as usize).max(1);
        Self {
            delay: VecDeque::from(vec![(0.0, 0.0); window]),
            wanted: VecDeque::new(),
            recent: VecDeque::from(vec![1.0; window]),
            sum: window as f64,
            gain: 1.0,
            release: 1.0 - libm::exp(-1.0 / (RELEASE * rate)),
            window,
            at: 0,
        }
    }

    /// Samples by which the output is late.
    pub fn latency(&self) -> usize {
        self.window
    }

    /// Limits a block in place; what comes out is late by the latency. Samples
    /// that are no numbers become silence.
    pub fn process(&mut self, left: &mut [f32], right: &mut [f32]) {
        for (left, right) in left.iter_mut().zip(right) {
            let finite = |sample: f32| if sample.is_finite() { sample } else { 0.0 };
            (*left, *right) = self.step(finite(*left), finite(*right));
        }
    }

    fn step(&mut self, left: f32, right: f32) -> (f32, f32) {
        let peak = left.abs().max(right.abs());
        let wanted = f64::from(CEILING / peak.max(CEILING));
        while self.wanted.back().is_some_and(|(_, last)| *last >= wanted) {
            self.wanted.pop_back();
        }
        self.wanted.push_back((self.at, wanted));
        if self
            .wanted
            .front()
            .is_some_and(|(at, _)| *at + (self.window as u64) < self.at)
        {
            self.wanted.pop_front();
        }
        self.at += 1;
        let least = self.wanted.front().map_or(1.0, |(_, least)| *least);
        // Down at once, up slowly; the average over the window makes it smooth
        // and is low enough when the peak comes out.
        self.gain += (least - self.gain) * if least < self.gain { 1.0 } else { self.release };
        self.recent.push_back(self.gain);
        self.sum += self.gain - self.recent.pop_front().unwrap_or(1.0);
        let gain = (self.sum / self.window as f64).min(1.0) as f32;
        self.delay.push_back((left, right));
        let (left, right) = self.delay.pop_front().unwrap_or_default();
        (left * gain, right * gain)
    }
}
