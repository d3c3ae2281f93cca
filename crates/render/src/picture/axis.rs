//! Where bars begin, and how seconds are marked.

use score::{Score, TempoMap};

/// Most bars that are marked; of more, every so many.
const MOST_BARS: u64 = 2000;

/// The beginning of a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Counted from 1.
    pub number: u64,
    /// In seconds.
    pub seconds: f64,
}

/// A stretch of bars of one length.
struct Stretch {
    from: u64,
    to: u64,
    length: u64,
    first_number: u64,
}

/// The bars of a score up to its last note, by its time signatures; 4/4 before
/// the first, and where one makes no sense. A new signature begins a bar.
pub fn bars(score: &Score) -> Vec<Bar> {
    let map = TempoMap::new(score);
    let end = u64::from(score.end());
    let whole = 4 * u64::from(score.ticks_per_quarter);
    let mut stretches = Vec::new();
    let mut open = Stretch {
        from: 0,
        to: end,
        length: whole,
        first_number: 1,
    };
    for signature in &score.time_signatures {
        let at = u64::from(signature.onset).min(end);
        if at > open.from {
            let bars = (at - open.from).div_ceil(open.length);
            let first_number = open.first_number + bars;
            stretches.push(Stretch { to: at, ..open });
            open = Stretch {
                from: at,
                to: end,
                length: whole,
                first_number,
            };
        }
        let beats = u64::from(signature.numerator) * whole;
        open.length = match beats.checked_div(u64::from(signature.denominator)) {
            Some(length) if length > 0 => length,
            _ => whole,
        };
    }
    stretches.push(open);
    let count = |stretch: &Stretch| (stretch.to - stretch.from).div_ceil(stretch.length);
    let total: u64 = stretches.iter().map(count).sum();
    let step = total.div_ceil(MOST_BARS).max(1);
    let mut bars = Vec::new();
    for stretch in &stretches {
        // The first number here that is one more than a multiple of the step.
        let skipped = (step - (stretch.first_number - 1) % step) % step;
        for index in (skipped..count(stretch)).step_by(step as usize) {
            let tick = stretch.from + index * stretch.length;
            bars.push(Bar {
                number: stretch.first_number + index,
                seconds: map.seconds(u32::try_from(tick).unwrap_or(u32::MAX)),
            });
        }
    }
    bars
}

/// Seconds between marks that are at least so many pixels apart.
pub fn second_step(pixels_a_second: f64, least_pixels: f64) -> f64 {
    let steps = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
    ];
    let wide = |step: &f64| step * pixels_a_second >= least_pixels;
    let least = least_pixels / pixels_a_second.max(1e-12);
    let hours = (least / 3600.0).ceil() * 3600.0;
    steps.into_iter().find(wide).unwrap_or(hours)
}

/// A time as people write it: 7 s, 1:07, 1:00:07.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use score::{Note, TimeSignature, Track};

    fn score(end: u32, signatures: &[(u32, u8, u8)]) -> Score {
        let mut score = Score::new(100);
        let signature = |&(onset, numerator, denominator): &(u32, u8, u8)| TimeSignature {
            onset,
            numerator,
            denominator,
        };
        score.time_signatures = signatures.iter().map(signature).collect();
        let mut track = Track::piano();
        track.notes.push(Note {
            onset: 0,
            duration: end,
            pitch: 60,
            velocity: 64,
        });
        score.tracks.push(track);
        score
    }

    #[test]
    fn a_new_signature_begins_a_bar() {
        let bars = bars(&score(1500, &[(600, 3, 4), (1100, 0, 0)]));
        let starts: Vec<_> = bars.iter().map(|bar| (bar.number, bar.seconds)).collect();
        let expected = [(1, 0.0), (2, 2.0), (3, 3.0), (4, 4.5), (5, 5.5)];
        assert_eq!(starts, expected);
    }

    #[test]
    fn of_a_million_bars_some_are_marked() {
        let bars = bars(&score(400_000_000, &[]));
        assert_eq!((bars.len(), bars[0].number, bars[1].number), (2000, 1, 501));
    }

    #[test]
    fn seconds_are_marked_at_round_times() {
        assert_eq!(second_step(40.0, 60.0), 2.0);
        assert_eq!(second_step(0.001, 60.0), 61200.0);
        assert_eq!([7.0, 67.0, 3607.2].map(clock), ["7 s", "1:07", "1:00:07"]);
    }
}
