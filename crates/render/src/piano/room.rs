//! A small room: a feedback delay network of eight lines (Jot and Chaigne 1991)
//! with an energy-keeping mixing matrix and losses that grow with frequency.

const LINES: usize = 8;
/// Delays in milliseconds, without common periods, for walls a few metres away.
const DELAYS: [f64; LINES] = [13.7, 17.1, 19.9, 23.3, 27.7, 31.3, 37.1, 41.9];
/// Seconds in which low tones fall by 60 dB.
const REVERBERATION: f64 = 0.75;
/// Share of its input that each turn through a line keeps of the highest tones.
const BRIGHTNESS: f64 = 0.55;
/// Level below which the room is silent.
const SILENCE: f32 = 1e-6;

/// The room; silence in gives exact silence out once it has died away.
pub struct Room {
    lines: [Line; LINES],
    gain: f32,
    /// Samples since anything was heard in it.
    quiet: usize,
}

#[derive(Default)]
struct Line {
    samples: Vec<f32>,
    at: usize,
    feedback: f32,
    low: f32,
}

impl Room {
    /// An empty room. `amount` is how much of it is heard, 0 for none.
    pub fn new(sample_rate: f64, amount: f32) -> Self {
        let line = |milliseconds: &f64| {
            let length = ((milliseconds * sample_rate / 1000.0) as usize).max(1);
            let seconds = length as f64 / sample_rate;
            Line {
                samples: vec![0.0; length],
                feedback: libm::pow(10.0, -3.0 * seconds / REVERBERATION) as f32,
                ..Line::default()
            }
        };
        Self {
            lines: DELAYS.each_ref().map(line),
            gain: amount,
            quiet: usize::MAX,
        }
    }

    /// Adds the room's answer to both sides.
    pub fn add(&mut self, left: &mut [f32], right: &mut [f32]) {
        let silent = |side: &[f32]| side.iter().all(|sample| *sample == 0.0);
        if self.gain <= 0.0 || (self.is_silent() && silent(left) && silent(right)) {
            return;
        }
        let mut loudest = left
            .iter()
            .chain(right.iter())
            .fold(0.0_f32, |most, x| most.max(x.abs()));
        for (left, right) in left.iter_mut().zip(right.iter_mut()) {
            let (wet_left, wet_right) = self.step(*left, *right);
            loudest = loudest.max(wet_left.abs()).max(wet_right.abs());
            *left += self.gain * wet_left;
            *right += self.gain * wet_right;
        }
        self.quiet = match loudest > SILENCE {
            true => 0,
            false => {
                if self.quiet == usize::MAX {
                    0
                } else {
                    self.quiet + left.len()
                }
            }
        };
        if self.quiet > self.longest() {
            self.silence();
        }
    }

    /// Whether nothing is left in it.
    pub fn is_silent(&self) -> bool {
        self.gain <= 0.0 || self.quiet == usize::MAX
    }

    fn longest(&self) -> usize {
        let lengths = self.lines.iter().map(|line| line.samples.len());
        2 * lengths.max().unwrap_or(0)
    }

    fn silence(&mut self) {
        for line in &mut self.lines {
            line.samples.fill(0.0);
            line.low = 0.0;
        }
        self.quiet = usize::MAX;
    }

    #[inline(always)]
    fn step(&mut self, left: f32, right: f32) -> (f32, f32) {
        let mut heard = [0.0; LINES];
        for (heard, line) in heard.iter_mut().zip(&mut self.lines) {
            let out = line.samples[line.at];
            line.low += BRIGHTNESS as f32 * (out - line.low);
            *heard = line.low;
        }
        // Householder's reflection: every line feeds all, none alone.
        let mean = heard.iter().sum::<f32>() * (2.0 / LINES as f32);
        for (index, (line, heard)) in self.lines.iter_mut().zip(heard).enumerate() {
            let input = if index % 2 == 0 { left } else { right };
            line.samples[line.at] = input + line.feedback * (heard - mean);
            line.at = if line.at + 1 == line.samples.len() {
                0
            } else {
                line.at + 1
            };
        }
        let wet_left = heard[0] - heard[2] + heard[4] - heard[6];
        let wet_right = heard[1] - heard[3] + heard[5] - heard[7];
        (0.5 * wet_left, 0.5 * wet_right)
    }
}
