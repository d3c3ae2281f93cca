//! Round numbers along an axis.

/// Round values from `low` to `high`, about six of them, and their distance: 1,
/// 2 or 5 times a power of ten.
pub(crate) fn ticks(low: f64, high: f64) -> (impl Iterator<Item = f64>, f64) {
    let rough = ((high - low) / 6.0).max(1e-9);
    let power = 10f64.powf(rough.log10().floor());
    let step = match rough / power {
        part if part <= 1.0 => power,
        part if part <= 2.0 => 2.0 * power,
        part if part <= 5.0 => 5.0 * power,
        _ => 10.0 * power,
    };
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    let values = (first..=last).map(move |index| index as f64 * step);
    (values, step)
}

/// A tick's number, with as many digits as its distance from the next asks for.
pub(crate) fn label(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64) -> Vec<String> {
        let (values, step) = ticks(low, high);
        values.map(|value| label(value, step)).collect()
    }

    #[test]
    fn ticks_are_round_and_within_the_axis() {
        assert_eq!(labels(4.9, 7.1), ["5.0", "5.5", "6.0", "6.5", "7.0"]);
        assert_eq!(labels(0.0, 890.0), ["0", "200", "400", "600", "800"]);
        assert_eq!(labels(0.0, 12.0), ["0", "2", "4", "6", "8", "10", "12"]);
        assert_eq!(labels(1.002, 1.011).len(), 5);
        assert_eq!(labels(3.0, 3.0).len(), 1);
    }
}
