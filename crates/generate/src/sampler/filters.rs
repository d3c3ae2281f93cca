//! The steps of sampling, each a function on the ids that may still come.

use kernels::Isa;
use kernels::exp::softmax;
use std::cmp::Ordering;

/// An id that may come, with its logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The id.
    pub id: u32,
    /// The logarithm of its likelihood, up to a constant.
    pub logit: f32,
}

/// More likely ones first, of equals the smaller id.
fn by_likelihood(a: &Candidate, b: &Candidate) -> Ordering {
    b.logit.total_cmp(&a.logit).then(a.id.cmp(&b.id))
}

/// Fills `candidates` with the ids that the mask allows and whose logit is not
/// minus infinity, in the order of ids.
pub fn collect(candidates: &mut Vec<Candidate>, logits: &[f32], mask: Option<&[bool]>) {
    candidates.clear();
    let all = (0..).zip(logits);
    candidates.extend(all.map(|(id, logit)| Candidate { id, logit: *logit }));
    let possible = |candidate: &Candidate| candidate.logit != f32::NEG_INFINITY;
    match mask {
        Some(mask) => {
            candidates.truncate(mask.len());
            keep(candidates, |candidate| {
                mask[candidate.id as usize] & possible(candidate)
            });
        }
        None => keep(candidates, possible),
    }
}

/// Keeps the candidates that are wanted, in their order. Without a branch for
/// each: which are wanted is hard to foresee.
fn keep(candidates: &mut Vec<Candidate>, wanted: impl Fn(&Candidate) -> bool) {
    let mut kept = 0;
    for at in 0..candidates.len() {
        let candidate = candidates[at];
        candidates[kept] = candidate;
        kept += usize::from(wanted(&candidate));
    }
    candidates.truncate(kept);
}

/// Divides positive logits of ids in `recent` by `penalty` and multiplies the
/// others with it, once however often the id occurs (Keskar et al. 2019, with
/// the usual treatment of negative logits). `candidates` are in the order of ids.
pub fn repetition_penalty(candidates: &mut [Candidate], recent: &[u32], penalty: f32) {
    for (i, id) in recent.iter().enumerate() {
        if recent[..i].contains(id) {
            continue;
        }
        if let Ok(at) = candidates.binary_search_by_key(id, |candidate| candidate.id) {
            let logit = &mut candidates[at].logit;
            *logit = if *logit > 0.0 {
                *logit / penalty
            } else {
                *logit * penalty
            };
        }
    }
}

/// The candidate with the largest logit, of equals the one with the smallest id.
pub fn most_likely(candidates: &[Candidate]) -> Option<Candidate> {
    let larger = |best: Candidate, next: Candidate| match by_likelihood(&best, &next) {
        Ordering::Greater => next,
        _ => best,
    };
    candidates.iter().copied().reduce(larger)
}

/// Divides logits by `temperature`, which is over 0.
pub fn temperature(candidates: &mut [Candidate], temperature: f32) {
    if temperature != 1.0 {
        for candidate in candidates {
            candidate.logit /= temperature;
        }
    }
}

/// Keeps the `k` most likely, the most likely first.
pub fn top_k(candidates: &mut Vec<Candidate>, k: usize) {
    if k < candidates.len() {
        candidates.select_nth_unstable_by(k, by_likelihood);
        candidates.truncate(k);
    }
    candidates.sort_unstable_by(by_likelihood);
}

/// Classes of likelihood that [`top_p`] tells apart: 128 to an octave, down to
/// 2^-16 of the most likely; the last holds all below.
const CLASSES: usize = 16 * 128;

/// What filters keep from one draw to the next, so that they allocate nothing.
#[derive(Default)]
pub struct Scratch {
    /// One a candidate.
    weights: Vec<f32>,
    /// Probability of each class, in four sums: in one, each addition would wait for
    /// the one before where many fall into one class.
    classes: Vec<[f64; 4]>,
    /// The class at the cut.
    members: Vec<(Candidate, f32)>,
}

/// Keeps the most likely candidates, as few as reach the probability `p`
/// together (nucleus sampling, Holtzman et al. 2019), in the order that they had.
///
/// Sorting all of a large vocabulary would take longer than the model. So
/// probabilities are summed by classes of about equal ones, and only the class in
/// which `p` is reached is sorted.
pub fn top_p(isa: Isa, candidates: &mut Vec<Candidate>, scratch: &mut Scratch, p: f32) {
    let Scratch {
        weights,
        classes,
        members,
    } = scratch;
    probabilities(isa, candidates, weights);
    let top = weights.iter().fold(0.0_f32, |top, w| top.max(*w));
    // The bits of floats that are not negative are in the order of their values;
    // the upper sixteen hold the exponent and seven bits of the rest.
    let class_of = |w: f32| ((top.to_bits() - w.to_bits()) >> 16).min(CLASSES as u32 - 1) as usize;
    classes.clear();
    classes.resize(CLASSES, [0.0; 4]);
    for (at, weight) in weights.iter().enumerate() {
        classes[class_of(*weight)][at % 4] += f64::from(*weight);
    }
    let mut sum = 0.0;
    let found = classes.iter().enumerate().find_map(|(class, sums)| {
        let before = sum;
        sum += sums.iter().sum::<f64>();
        (sum >= f64::from(p)).then_some((class, before))
    });
    let Some((class, mut sum)) = found else {
        return;
    };
    members.clear();
    let all = candidates.iter().copied().zip(weights.iter().copied());
    members.extend(all.filter(|(_, weight)| class_of(*weight) == class));
    members.sort_unstable_by(|(a, _), (b, _)| by_likelihood(a, b));
    let reaches = |(_, weight): &&(Candidate, f32)| {
        sum += f64::from(*weight);
        sum >= f64::from(p)
    };
    let last = members.iter().find(reaches).or(members.last());
    if let Some((last, _)) = last.copied() {
        candidates.retain(|candidate| by_likelihood(candidate, &last) != Ordering::Greater);
    }
}

/// Keeps candidates at least `p` times as likely as the most likely one.
pub fn min_p(candidates: &mut Vec<Candidate>, p: f32) {
    if let Some(best) = most_likely(candidates) {
        let least = best.logit + p.ln();
        candidates.retain(|candidate| candidate.logit >= least);
    }
}

/// Draws a candidate with its probability; `uniform` is in 0..1. `None` when there
/// is no candidate.
pub fn draw(
    isa: Isa,
    candidates: &[Candidate],
    scratch: &mut Scratch,
    uniform: f64,
) -> Option<u32> {
    let weights = &mut scratch.weights;
    probabilities(isa, candidates, weights);
    let sum = sum(weights);
    let mut left = uniform * sum;
    let hit = weights.iter().position(|w| {
        left -= f64::from(*w);
        left < 0.0
    });
    // Rounding may leave nothing to hit: then the last one that can come.
    let hit = hit.or_else(|| weights.iter().rposition(|w| *w > 0.0))?;
    Some(candidates[hit].id)
}

/// The sum in f64, eight running sums side by side.
fn sum(weights: &[f32]) -> f64 {
    let (eights, rest) = weights.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        for (sum, w) in sums.iter_mut().zip(eight) {
            *sum += f64::from(*w);
        }
    }
    let rest: f64 = rest.iter().map(|w| f64::from(*w)).sum();
    sums.iter().sum::<f64>() + rest
}

fn probabilities(isa: Isa, candidates: &[Candidate], weights: &mut Vec<f32>) {
    weights.clear();
    weights.extend(candidates.iter().map(|candidate| candidate.logit));
    softmax(isa, weights);
}
