//! Applying merges to one word.
//!
//! As in the `tokenizers` library the pair of lowest rank, of equal ones the
//! leftmost, is merged first, again and again. In short words the lowest is
//! found by looking at all; long ones (sequences that are not cut at bars) keep
//! a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Merges, Scratch};

const NO_MERGE: u32 = u32::MAX;
const LONG_WORD: usize = 512;

/// Merges `scratch.symbols` in place.
pub(super) fn merge(merges: &Merges, scratch: &mut Scratch) {
    if scratch.symbols.len() > LONG_WORD {
        merge_long(merges, &mut scratch.symbols);
    } else {
        merge_short(merges, scratch);
    }
}

fn merge_short(merges: &Merges, scratch: &mut Scratch) {
    let Scratch {
        symbols,
        ranks,
        products,
    } = scratch;
    let lookup = |left: u32, right: u32| {
        merges
            .get(&(left, right))
            .map_or((NO_MERGE, 0), |merge| (merge.rank, merge.id))
    };
    ranks.clear();
    products.clear();
    for pair in symbols.windows(2) {
        let (rank, product) = lookup(pair[0], pair[1]);
        ranks.push(rank);
        products.push(product);
    }
    while let Some(lowest) = ranks.iter().copied().min().filter(|rank| *rank != NO_MERGE) {
        let at = ranks.iter().position(|rank| *rank == lowest).unwrap_or(0);
        symbols[at] = products[at];
        symbols.remove(at + 1);
        ranks.remove(at);
        products.remove(at);
        if at > 0 {
            (ranks[at - 1], products[at - 1]) = lookup(symbols[at - 1], symbols[at]);
        }
        if at < ranks.len() {
            (ranks[at], products[at]) = lookup(symbols[at], symbols[at + 1]);
        }
    }
}

fn merge_long(merges: &Merges, symbols: &mut Vec<u32>) {
    const GONE: u32 = u32::MAX;
    let count = symbols.len();
    let mut next: Vec<usize> = (1..=count).collect();
    let mut previous: Vec<usize> = (0..count).map(|index| index.wrapping_sub(1)).collect();
    let mut heap = BinaryHeap::new();
    let offer = |heap: &mut BinaryHeap<_>, symbols: &[u32], left: usize, right: usize| {
        if let Some(merge) = merges.get(&(symbols[left], symbols[right])) {
            heap.push(Reverse((
                merge.rank,
                left,
                merge.id,
                symbols[left],
                symbols[right],
            )));
        }
    };
    for index in 1..count {
        offer(&mut heap, symbols, index - 1, index);
    }
    while let Some(Reverse((_, left, product, first, second))) = heap.pop() {
        let right = next[left];
        if symbols[left] != first || right >= count || symbols[right] != second {
            continue;
        }
        symbols[left] = product;
        symbols[right] = GONE;
        next[left] = next[right];
        if next[left] < count {
            previous[next[left]] = left;
            offer(&mut heap, symbols, left, next[left]);
        }
        if previous[left] < count {
            offer(&mut heap, symbols, previous[left], left);
        }
    }
    symbols.retain(|symbol| *symbol != GONE);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Merge;
    use super::*;

    proptest! {
        #[test]
        fn short_and_long_words_merge_alike(
            pairs in prop::collection::vec((0_u32..12, 0_u32..12), 1..30),
            word in prop::collection::vec(0_u32..6, 0..60),
        ) {
            let mut merges = Merges::default();
            for (rank, pair) in pairs.into_iter().enumerate() {
                merges.entry(pair).or_insert(Merge { rank: rank as u32, id: 6 + rank as u32 % 6 });
            }
            let mut scratch = Scratch { symbols: word.clone(), ..Scratch::default() };
            merge_short(&merges, &mut scratch);
            let mut long = word;
            merge_long(&merges, &mut long);
            prop_assert_eq!(scratch.symbols, long);
        }
    }
}
