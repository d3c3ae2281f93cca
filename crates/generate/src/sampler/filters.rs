//! The steps of sampling, each a function on one value an id.
//!
//! The first look at logits, where minus infinity means that an id cannot come;
//! those after [`softmax`](kernels::exp::softmax) at weights, which are in
//! proportion to probabilities, where 0 means it.

use super::SamplerError;
use kernels::Isa;
use kernels::nucleus::{nucleus, sum_over};

/// Copies `logits` to `out`, but for ids where the mask, of the same length, is
/// false.
///
/// # Errors
/// [`SamplerError::NotANumber`] and [`SamplerError::NothingAllowed`].
pub fn allow(
    logits: &[f32],
    mask: Option<&[bool]>,
    out: &mut Vec<f32>,
) -> Result<(), SamplerError> {
    out.clear();
    match mask {
        Some(mask) => {
            let allowed =
                |(logit, may): (&f32, &bool)| if *may { *logit } else { f32::NEG_INFINITY };
            out.extend(logits.iter().zip(mask).map(allowed));
        }
        None => out.extend(logits),
    }
    let damaged = |logit: &f32| logit.is_nan() | (*logit == f32::INFINITY);
    if out.iter().fold(false, |any, logit| any | damaged(logit)) {
        return Err(SamplerError::NotANumber);
    }
    if out.iter().all(|logit| *logit == f32::NEG_INFINITY) {
        return Err(SamplerError::NothingAllowed);
    }
    Ok(())
}

/// Divides positive logits of ids in `recent` by `penalty` and multiplies the
/// others with it, once however often the id occurs (Keskar et al. 2019, with
/// the usual treatment of negative logits).
pub fn repetition_penalty(logits: &mut [f32], recent: &[u32], penalty: f32) {
    for (i, id) in recent.iter().enumerate() {
        if recent[..i].contains(id) {
            continue;
        }
        if let Some(logit) = logits.get_mut(*id as usize) {
            *logit = if *logit > 0.0 {
                *logit / penalty
            } else {
                *logit * penalty
            };
        }
    }
}

/// The id with the largest logit, of equals the smallest; `None` where none can
/// come.
pub fn most_likely(logits: &[f32]) -> Option<u32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let first = || (0..).zip(logits).find(|(_, logit)| **logit == largest);
    let (id, _) = (largest > f32::NEG_INFINITY).then(first)??;
    Some(id)
}

/// Divides logits by `temperature`, which is over 0, and makes the largest 0, so
/// that no temperature is too low.
pub fn temperature(logits: &mut [f32], temperature: f32) {
    if temperature != 1.0 {
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        for logit in logits {
            *logit = (*logit - largest) / temperature;
        }
    }
}

/// Keeps the `k` largest weights, of equals those of smaller ids. `scratch` is
/// overwritten.
pub fn top_k(weights: &mut [f32], scratch: &mut Vec<f32>, k: usize) {
    if k == 0 || k >= weights.len() {
        return;
    }
    scratch.clear();
    scratch.extend(&*weights);
    let (larger, least, _) = scratch.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let larger = larger.iter().filter(|weight| *weight > least).count();
    cut(weights, *least, k - larger);
}

/// Keeps the largest weights, as few as have the share `p` of all together
/// (nucleus sampling, Holtzman et al. 2019), of equals those of smaller ids.
pub fn top_p(isa: Isa, weights: &mut [f32], p: f32) {
    let needed = f64::from(p) * sum(weights);
    let (least, above) = nucleus(isa, weights, needed);
    let equals = (needed - above) / f64::from(least);
    cut(weights, least, equals.ceil().max(1.0) as usize);
}

/// Whether [`top_p`] would keep the weight of `id`: it does where the weights before it, the
/// larger ones and its equals of smaller ids, do not have the share `p`. Panics where there is no
/// such id.
pub fn in_top_p(isa: Isa, weights: &[f32], id: u32, p: f32) -> bool {
    let (before, rest) = weights.split_at(id as usize);
    let weight = rest[0];
    let equals = before.iter().filter(|other| **other == weight).count();
    let larger = sum_over(isa, weights, weight);
    larger + equals as f64 * f64::from(weight) < f64::from(p) * sum_over(isa, weights, 0.0)
}

/// Keeps weights that are at least `p` times the largest.
pub fn min_p(weights: &mut [f32], p: f32) {
    cut(weights, p * largest(weights), usize::MAX);
}

/// Whether [`min_p`] would keep the weight of `id`. Panics where there is no such id.
pub fn in_min_p(weights: &[f32], id: u32, p: f32) -> bool {
    weights[id as usize] >= p * largest(weights)
}

fn largest(weights: &[f32]) -> f32 {
    weights.iter().copied().fold(0.0, f32::max)
}

/// Keeps weights over `least`, and the first so many that are equal to it.
fn cut(weights: &mut [f32], least: f32, equals: usize) {
    for weight in &mut *weights {
        *weight = if *weight < least { 0.0 } else { *weight };
    }
    let equal = |weight: &f32| *weight == least;
    if weights.iter().filter(|weight| equal(weight)).count() > equals {
        let found = weights.iter_mut().filter(|weight| equal(weight));
        found.skip(equals).for_each(|weight| *weight = 0.0);
    }
}

/// Weights whose sum is taken together.
const PART: usize = 256;

/// Draws an id with its probability; `uniform` is in 0..1. `None` where none can
/// come.
pub fn draw(weights: &[f32], uniform: f64) -> Option<u32> {
    let mut parts = weights.chunks(PART);
    let (part, left) = hit(parts.clone().map(part_sum), uniform * sum(weights))?;
    let (at, _) = hit(parts.nth(part)?.iter().copied().map(f64::from), left)?;
    Some((part * PART + at) as u32)
}

/// Which of the lengths, laid end to end, `left` falls into, and how far. Rounding
/// may leave nothing to hit: then the last one that is over 0.
fn hit(lengths: impl Iterator<Item = f64>, mut left: f64) -> Option<(usize, f64)> {
    let mut last = None;
    for (at, length) in lengths.enumerate().filter(|(_, length)| *length > 0.0) {
        last = Some((at, left));
        if left < length {
            break;
        }
        left -= length;
    }
    last
}

fn sum(weights: &[f32]) -> f64 {
    weights.chunks(PART).map(part_sum).sum()
}

/// The sum in f64, eight running sums side by side.
fn part_sum(weights: &[f32]) -> f64 {
    let (eights, rest) = weights.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        for (sum, weight) in sums.iter_mut().zip(eight) {
            *sum += f64::from(*weight);
        }
    }
    let rest: f64 = rest.iter().map(|weight| f64::from(*weight)).sum();
    sums.iter().sum::<f64>() + rest
}
