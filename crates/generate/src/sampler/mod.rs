//! From logits to an id.
//!
//! The order: ids that are not allowed are left out, recent ids are made less
//! likely, logits are divided by the temperature, then the unlikely rest is cut
//! off (top-k, top-p, min-p), and one of the remaining ids is drawn with its
//! probability. At temperature 0 the most likely id of the first two steps is
//! taken. Each step is a function in [`filters`]; none allocates.
//!
//! Top-p and min-p leave out what seldom comes, and to ask whether they keep a single id takes
//! less time than to cut off all others. So an id is drawn before they cut, and stands if
//! they keep it; only if not, they cut, and another is drawn. Where the ids that are kept have
//! the probability `k` together, one of probability `p` comes with `p + (1 - k) p / k = p / k`,
//! as it should.

pub mod filters;

use kernels::Isa;
use kernels::exp::softmax;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

/// Why nothing can be sampled.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SamplerError {
    /// An option with a value that makes no sense.
    #[error("{option} is {value}: it has to be {rule}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        value: f64,
        /// What it has to be.
        rule: &'static str,
    },
    /// The mask leaves no id.
    #[error("no id is allowed to come next: the grammar does not fit the vocabulary")]
    NothingAllowed,
    /// The logits are no numbers.
    #[error("the model's output is not a number: its weights are damaged")]
    NotANumber,
}

/// How ids are drawn. The default leaves out the least likely ids, which together
/// have a probability of 0.02: of 200 pieces with each of several settings, those
/// were among the nearest to what pianists do (`benchmarks/music`).
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerOptions {
    /// Logits are divided by it; 0 takes the most likely id.
    pub temperature: f32,
    /// Only the `top_k` most likely ids remain; 0 keeps all.
    pub top_k: usize,
    /// Only the most likely ids remain that together reach this probability; 1
    /// keeps all.
    pub top_p: f32,
    /// Only ids remain that are at least `min_p` times as likely as the most
    /// likely one; 0 keeps all.
    pub min_p: f32,
    /// Positive logits of recent ids are divided by it, negative ones
    /// multiplied; 1 changes nothing.
    pub repetition_penalty: f32,
    /// How many of the latest ids are recent.
    pub repetition_window: usize,
}

impl Default for SamplerOptions {
    fn default() -> Self {
        Self {
            top_p: 0.98,
            ..Self::UNCHANGED
        }
    }
}

impl SamplerOptions {
    /// The model's own distribution.
    pub const UNCHANGED: Self = Self {
        temperature: 1.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repetition_penalty: 1.0,
        repetition_window: 64,
    };

    /// Checks that all values make sense.
    ///
    /// # Errors
    /// [`SamplerError::Option`], naming the first that does not.
    pub fn validate(&self) -> Result<(), SamplerError> {
        let rules = [
            (
                "temperature",
                self.temperature,
                self.temperature >= 0.0,
                "0 or more, and finite",
            ),
            (
                "top_p",
                self.top_p,
                self.top_p > 0.0 && self.top_p <= 1.0,
                "over 0 and at most 1",
            ),
            (
                "min_p",
                self.min_p,
                (0.0..=1.0).contains(&self.min_p),
                "from 0 to 1",
            ),
            (
                "repetition_penalty",
                self.repetition_penalty,
                self.repetition_penalty > 0.0,
                "over 0, and finite",
            ),
        ];
        for (option, value, sound, rule) in rules {
            if !sound || !value.is_finite() {
                let value = f64::from(value);
                return Err(SamplerError::Option {
                    option,
                    value,
                    rule,
                });
            }
        }
        Ok(())
    }
}

/// Draws ids, the same ones for the same seed and logits.
pub struct Sampler {
    options: SamplerOptions,
    rng: ChaCha8Rng,
    isa: Isa,
    /// One an id.
    weights: Vec<f32>,
    scratch: Vec<f32>,
}

impl Sampler {
    /// A sampler with a seed of its own.
    ///
    /// # Errors
    /// [`SamplerError::Option`].
    pub fn new(options: SamplerOptions, seed: u64) -> Result<Self, SamplerError> {
        options.validate()?;
        Ok(Self {
            options,
            rng: ChaCha8Rng::seed_from_u64(seed),
            isa: Isa::detect(),
            weights: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Draws the next id.
    ///
    /// `logits` has one f32 an id. `mask`, of the same length, is `false` for ids
    /// that may not come. `history` holds the ids so far, the latest last.
    ///
    /// # Errors
    /// [`SamplerError::NothingAllowed`] or [`SamplerError::NotANumber`].
    pub fn sample(
        &mut self,
        logits: &[f32],
        mask: Option<&[bool]>,
        history: &[u32],
    ) -> Result<u32, SamplerError> {
        let Self {
            options, weights, ..
        } = self;
        filters::allow(logits, mask, weights)?;
        if options.repetition_penalty != 1.0 {
            let from = history.len().saturating_sub(options.repetition_window);
            filters::repetition_penalty(weights, &history[from..], options.repetition_penalty);
        }
        if options.temperature == 0.0 {
            return filters::most_likely(weights).ok_or(SamplerError::NothingAllowed);
        }
        filters::temperature(weights, options.temperature);
        softmax(self.isa, weights);
        if options.top_k > 0 {
            filters::top_k(weights, &mut self.scratch, options.top_k);
        }
        let mut draw = |weights: &[f32]| {
            filters::draw(weights, self.rng.random()).ok_or(SamplerError::NothingAllowed)
        };
        let id = draw(weights)?;
        let (top_p, min_p) = (options.top_p, options.min_p);
        if (top_p == 1.0 || filters::in_top_p(self.isa, weights, id, top_p))
            && (min_p == 0.0 || filters::in_min_p(weights, id, min_p))
        {
            return Ok(id);
        }
        if top_p < 1.0 {
            filters::top_p(self.isa, weights, top_p);
        }
        if min_p > 0.0 {
            filters::min_p(weights, min_p);
        }
        draw(weights)
    }
}
