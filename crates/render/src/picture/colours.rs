//! The colours of a picture, for screen and paper and for the colour-blind.

use super::drawing::Colour;

/// Paper.
pub const PAPER: Colour = [255, 255, 255];
/// Text and frames.
pub const INK: Colour = [34, 34, 34];
/// Labels of axes.
pub const LABEL: Colour = [85, 85, 85];
/// Rows of black keys.
pub const BLACK_ROW: Colour = [243, 243, 243];
/// The same behind a prompt.
pub const PROMPT_BLACK_ROW: Colour = [218, 221, 227];
/// Behind a prompt.
pub const PROMPT: Colour = [231, 234, 239];
/// Lines between octaves and at seconds.
pub const FINE_LINE: Colour = [212, 212, 212];
/// Lines of bars.
pub const BAR_LINE: Colour = [170, 170, 170];
/// The sustain pedal.
pub const PEDAL: Colour = [120, 120, 120];
/// Where a prompt ends.
pub const BOUNDARY: Colour = [20, 20, 20];

/// Viridis (van der Walt and Smith 2015), even in lightness also for those who
/// see fewer colours; here from dark to light at ninths.
const VIRIDIS: [[f32; 3]; 10] = [
    [68.0, 1.0, 84.0],
    [72.0, 40.0, 120.0],
    [62.0, 74.0, 137.0],
    [49.0, 104.0, 142.0],
    [38.0, 130.0, 142.0],
    [31.0, 158.0, 137.0],
    [53.0, 183.0, 121.0],
    [110.0, 206.0, 88.0],
    [181.0, 222.0, 43.0],
    [253.0, 231.0, 37.0],
];
/// The lightest colours are left out: they vanish on paper.
const LIGHTEST: f32 = 0.84;

/// The colour of a MIDI velocity: the louder, the darker.
pub fn velocity(velocity: u8) -> Colour {
    let soft = 1.0 - f32::from(velocity.clamp(1, 127) - 1) / 126.0;
    let place = soft * LIGHTEST * (VIRIDIS.len() - 1) as f32;
    let below = (place as usize).min(VIRIDIS.len() - 2);
    let share = place - below as f32;
    let mix = |channel: usize| {
        let (a, b) = (VIRIDIS[below][channel], VIRIDIS[below + 1][channel]);
        (a + share * (b - a)).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn louder_is_darker_all_the_way() {
        let lightness = |v: u8| {
            let [r, g, b] = velocity(v).map(f32::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        assert!((1..127).all(|v| lightness(v) >= lightness(v + 1) - 0.6));
        assert!(lightness(1) - lightness(127) > 120.0);
    }
}
