//! Time signatures: which are told, and where.

use score::{Score, TimeSignature};

use super::grid::ticks_per_bar;
use crate::config::Config;
use crate::tables::Tables;

const COMMON_TIME: TimeSignature = TimeSignature {
    onset: 0,
    numerator: 4,
    denominator: 4,
};

/// The signatures that the tokenizer knows, from tick 0 on, and the ticks per
/// quarter note that they ask for: the finest denominator decides.
pub(super) fn supported(
    score: &Score,
    config: &Config,
    tables: &Tables,
    finest: u32,
) -> (Vec<TimeSignature>, u32) {
    if !config.use_time_signatures {
        return (vec![COMMON_TIME], finest);
    }
    let known = |signature: &&TimeSignature| tables.knows_signature(signature);
    let mut signatures: Vec<TimeSignature> = score
        .time_signatures
        .iter()
        .filter(known)
        .copied()
        .collect();
    if signatures.first().is_none_or(|first| first.onset != 0) {
        signatures.insert(0, COMMON_TIME);
    }
    let denominator = signatures
        .iter()
        .map(|signature| signature.denominator)
        .max();
    let ticks = finest * u32::from(denominator.unwrap_or(4)) / 4;
    (signatures, ticks.max(1))
}

/// Moves changes to the next bar line and drops those that change nothing:
/// MidiTok's `_preprocess_time_signatures`, after the MIDI 1.0 specification's
/// delayed time signatures.
pub(super) fn place(signatures: &mut Vec<TimeSignature>, config: &Config, ticks_per_quarter: u32) {
    let same = |a: &TimeSignature, b: &TimeSignature| {
        (a.numerator, a.denominator) == (b.numerator, b.denominator)
    };
    let Some(first) = signatures.first() else {
        return;
    };
    let mut bar = ticks_per_bar(first, ticks_per_quarter);
    let mut previous = 0;
    let mut index = 0;
    while index < signatures.len() {
        if index >= 1 {
            if same(&signatures[index], &signatures[index - 1]) {
                signatures.remove(index);
                continue;
            }
            signatures[index].onset = signatures[index].onset.max(signatures[index - 1].onset);
        }
        let since = signatures[index].onset.saturating_sub(previous);
        if !since.is_multiple_of(bar) {
            signatures[index].onset =
                previous.saturating_add((since / bar + 1).saturating_mul(bar));
        }
        bar = ticks_per_bar(&signatures[index], ticks_per_quarter);
        previous = signatures[index].onset;
        if index >= 1 && signatures[index].onset == signatures[index - 1].onset {
            signatures.remove(index - 1);
            if index >= 2 && same(&signatures[index - 1], &signatures[index - 2]) {
                signatures.remove(index - 1);
                bar = ticks_per_bar(&signatures[index - 2], ticks_per_quarter);
                previous = signatures[index - 2].onset;
                index -= 1;
            }
            continue;
        }
        index += 1;
    }
    let first = signatures[0];
    if config.delete_equal_successive_time_sig_changes && same(&first, &COMMON_TIME) {
        signatures[0].onset = 0;
    } else if first.onset != 0 {
        signatures.insert(0, COMMON_TIME);
    }
}
