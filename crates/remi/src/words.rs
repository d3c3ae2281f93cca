//! Where BPE's words begin: MidiTok's `get_bars_ticks`, `get_beats_ticks` and
//! `_split_per_ticks`.

use crate::config::{Config, Split};
use crate::encode::MAX_BARS;
use crate::error::EncodeError;
use crate::prepare::{GridScore, ticks_per_beat};

/// The ticks at which bars (or beats) begin, up to the last event of the score;
/// only the first where words are not cut.
///
/// # Errors
/// [`EncodeError::TooManyBars`] where there are so many bars that the file
/// cannot be meant.
pub(crate) fn starts(score: &GridScore, config: &Config) -> Result<Vec<u32>, EncodeError> {
    let bars = unit_starts(score, true)?;
    match config.encode_ids_split {
        Split::Bar => Ok(bars),
        Split::Beat => unit_starts(score, false),
        Split::No => Ok(vec![0]),
    }
}

fn unit_starts(score: &GridScore, whole_bars: bool) -> Result<Vec<u32>, EncodeError> {
    let limit = if whole_bars { MAX_BARS } else { MAX_BARS * 16 };
    if score.last_tick == 0 {
        return Ok(vec![0]);
    }
    let mut starts = Vec::new();
    for (index, signature) in score.signatures.iter().enumerate() {
        let end = score
            .signatures
            .get(index + 1)
            .map_or(score.last_tick + 1, |next| next.onset);
        let beat = ticks_per_beat(signature.denominator, score.ticks_per_quarter);
        let unit = if whole_bars {
            beat * u32::from(signature.numerator)
        } else {
            beat
        }
        .max(1);
        let units = end.saturating_sub(signature.onset).div_ceil(unit);
        let bars = starts.len() as u64 + u64::from(units);
        if bars > limit {
            return Err(EncodeError::TooManyBars { bars, limit });
        }
        starts.extend((0..units).map(|index| signature.onset + index * unit));
    }
    Ok(starts)
}

/// Index of each word's first token. A word begins at the first token that is
/// not before the next bar; words without tokens are left out.
pub(crate) fn cut(times: &[i64], starts: &[u32]) -> Vec<u32> {
    let mut words = Vec::with_capacity(starts.len());
    if times.is_empty() {
        return words;
    }
    words.push(0);
    let mut index = 0;
    for start in starts.iter().skip(1) {
        while index < times.len() && times[index] < i64::from(*start) {
            index += 1;
        }
        if index == times.len() {
            break;
        }
        if words.last() != Some(&(index as u32)) {
            words.push(index as u32);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_bars_begin_no_word() {
        assert_eq!(cut(&[0, 0, 5, 70, 71], &[0, 32, 64, 96]), [0, 3]);
        assert_eq!(cut(&[40, 70], &[0, 32, 64]), [0, 1]);
        assert!(cut(&[], &[0, 32]).is_empty());
    }
}
