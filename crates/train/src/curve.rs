//! The picture of a run: training and validation loss over the steps.

use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_10X20};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Circle, Line, Polyline, PrimitiveStyle};
use embedded_graphics::text::{Alignment, Text};

use crate::canvas::Canvas;
use crate::ticks::{label, ticks};

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 700;
const LEFT: i32 = 90;
const RIGHT: i32 = WIDTH as i32 - 40;
const TOP: i32 = 60;
const BOTTOM: i32 = HEIGHT as i32 - 70;

const INK: Rgb888 = Rgb888::new(40, 40, 40);
const GRID: Rgb888 = Rgb888::new(225, 225, 225);
const TRAINING: Rgb888 = Rgb888::new(80, 135, 205);
const VALIDATION: Rgb888 = Rgb888::new(215, 95, 20);

/// Losses in nats per token by step, in the order of the steps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    /// Of the training steps.
    pub training: Vec<(u64, f64)>,
    /// Of the evaluations.
    pub validation: Vec<(u64, f64)>,
}

impl Curve {
    /// A PNG file of the curve, 1,200 by 700 pixels: training as a line (means
    /// where several steps share a column), validation as a line with dots.
    /// `None` when there is nothing to draw.
    pub fn to_png(&self) -> Option<Vec<u8>> {
        let finite = |points: &[(u64, f64)]| -> Vec<(f64, f64)> {
            let points = points.iter().filter(|(_, loss)| loss.is_finite());
            points.map(|(step, loss)| (*step as f64, *loss)).collect()
        };
        let validation = finite(&self.validation);
        let all = finite(&self.training);
        let last = all.iter().chain(&validation).map(|(step, _)| *step);
        let last = last.reduce(f64::max)?;
        let training = column_means(&all, last);
        let losses = || training.iter().chain(&validation).map(|(_, loss)| *loss);
        let (low, high) = (losses().reduce(f64::min)?, losses().reduce(f64::max)?);
        let margin = (0.05 * (high - low)).max(0.01);
        let axes = Axes {
            last,
            low: (low - margin).max(0.0),
            high: high + margin,
        };
        let mut canvas = Canvas::new(WIDTH, HEIGHT);
        draw(&axes, &training, &validation, &mut canvas).ok()?;
        canvas.to_png().ok()
    }
}

/// Means of the points that share a column of pixels.
fn column_means(points: &[(f64, f64)], last: f64) -> Vec<(f64, f64)> {
    let column = |step: f64| (step / last.max(1.0) * f64::from(RIGHT - LEFT)) as i64;
    let groups = points.chunk_by(|a, b| column(a.0) == column(b.0));
    let mean = |group: &[(f64, f64)]| {
        let count = group.len() as f64;
        let sums = group.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
        (sums.0 / count, sums.1 / count)
    };
    groups.map(mean).collect()
}

/// From values to pixels.
struct Axes {
    last: f64,
    low: f64,
    high: f64,
}

impl Axes {
    fn x(&self, step: f64) -> i32 {
        LEFT + (step / self.last.max(1.0) * f64::from(RIGHT - LEFT)).round() as i32
    }

    fn y(&self, loss: f64) -> i32 {
        let share = (loss - self.low) / (self.high - self.low);
        BOTTOM - (share * f64::from(BOTTOM - TOP)).round() as i32
    }
}

type Drawn = Result<(), std::convert::Infallible>;

fn draw(
    axes: &Axes,
    training: &[(f64, f64)],
    validation: &[(f64, f64)],
    canvas: &mut Canvas,
) -> Drawn {
    let text = |text: &str, x: i32, y: i32, alignment, color, canvas: &mut Canvas| -> Drawn {
        let style = MonoTextStyle::new(&FONT_10X20, color);
        Text::with_alignment(text, Point::new(x, y), style, alignment)
            .draw(canvas)
            .map(|_| ())
    };
    let line = |from: (i32, i32), to: (i32, i32), color, canvas: &mut Canvas| {
        Line::new(from.into(), to.into())
            .into_styled(PrimitiveStyle::with_stroke(color, 1))
            .draw(canvas)
    };
    let (losses, step) = ticks(axes.low, axes.high);
    for loss in losses {
        let y = axes.y(loss);
        line((LEFT, y), (RIGHT, y), GRID, canvas)?;
        let number = label(loss, step);
        text(&number, LEFT - 10, y + 6, Alignment::Right, INK, canvas)?;
    }
    let (steps, step) = ticks(0.0, axes.last);
    for at in steps.filter(|at| at.fract() == 0.0) {
        let x = axes.x(at);
        line((x, TOP), (x, BOTTOM), GRID, canvas)?;
        let number = label(at, step.max(1.0));
        text(&number, x, BOTTOM + 24, Alignment::Center, INK, canvas)?;
    }
    line((LEFT, TOP), (LEFT, BOTTOM), INK, canvas)?;
    line((LEFT, BOTTOM), (RIGHT, BOTTOM), INK, canvas)?;
    let middle = (LEFT + RIGHT) / 2;
    text("step", middle, BOTTOM + 52, Alignment::Center, INK, canvas)?;
    let unit = "loss, nats per token";
    text(unit, 10, TOP - 26, Alignment::Left, INK, canvas)?;
    for (name, x, color) in [
        ("training", RIGHT - 180, TRAINING),
        ("validation", RIGHT, VALIDATION),
    ] {
        text(name, x, TOP - 26, Alignment::Right, color, canvas)?;
    }
    for (points, color) in [(training, TRAINING), (validation, VALIDATION)] {
        let points: Vec<Point> = points
            .iter()
            .map(|(step, loss)| Point::new(axes.x(*step), axes.y(*loss)))
            .collect();
        Polyline::new(&points)
            .into_styled(PrimitiveStyle::with_stroke(color, 2))
            .draw(canvas)?;
        if color == VALIDATION || points.len() == 1 {
            for point in points {
                Circle::with_center(point, 9)
                    .into_styled(PrimitiveStyle::with_fill(color))
                    .draw(canvas)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_drawn_where_its_values_say() {
        let curve = Curve {
            training: (1..=4000)
                .map(|step| (step, 1.0 + 4.0 / step as f64))
                .collect(),
            validation: vec![(2000, 1.5), (4000, f64::NAN)],
        };
        let png = curve.to_png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let is = |x: i32, y: i32, color: Rgb888| {
            let at = 3 * (y as usize * WIDTH as usize + x as usize);
            pixels[at..at + 3] == [color.r(), color.g(), color.b()]
        };
        let middle = (LEFT + RIGHT) / 2;
        let column: Vec<i32> = (TOP..BOTTOM)
            .filter(|&y| is(middle, y, VALIDATION))
            .collect();
        assert_eq!(column.len(), 9, "one dot of 9 pixels: {column:?}");
        let end = (TOP..BOTTOM)
            .filter(|&y| is(RIGHT - 2, y, TRAINING))
            .max()
            .unwrap();
        assert!(end > column[8], "a lower loss lies lower");
        assert!(BOTTOM - end < 60, "{end}");
        assert_eq!(Curve::default().to_png(), None);
    }
}
