//! A drawing as PNG, through `tiny-skia`; text from a bundled font, so that a
//! picture looks the same everywhere.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, OutlineCurve, Point};
use tiny_skia::{FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};

use super::drawing::{Align, Colour, Drawing, Shape};
use crate::RenderError;

/// DejaVu Sans, its Latin letters only.
static FONT: LazyLock<Option<FontRef<'static>>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../fonts/DejaVuSans-Latin.ttf")).ok()
});

/// Most pixels of a picture: 400 MB while it is drawn.
const MOST_PIXELS: u64 = 100_000_000;

/// Whether the font can show a character.
pub(super) fn has_glyph(c: char) -> bool {
    let glyph = |font: &FontRef| font.glyph_id(c) != GlyphId(0);
    FONT.as_ref().is_some_and(glyph)
}

impl Drawing {
    /// The drawing as the bytes of a PNG file.
    ///
    /// # Errors
    /// [`RenderError::Picture`] beyond a hundred million pixels.
    pub fn to_png(&self) -> Result<Vec<u8>, RenderError> {
        let too_large = || {
            let (width, height) = (self.width, self.height);
            RenderError::Picture(format!(
                "{width} by {height} pixels are too many; make it narrower or its lines longer"
            ))
        };
        if u64::from(self.width) * u64::from(self.height) > MOST_PIXELS {
            return Err(too_large());
        }
        let mut page = Pixmap::new(self.width, self.height).ok_or_else(too_large)?;
        page.fill(tiny_skia::Color::WHITE);
        for shape in &self.shapes {
            draw(&mut page, shape);
        }
        page.encode_png()
            .map_err(|error| RenderError::Picture(error.to_string()))
    }
}

fn draw(page: &mut Pixmap, shape: &Shape) {
    match shape {
        Shape::Rectangle {
            x,
            y,
            width,
            height,
            fill,
        } => {
            if let Some(rectangle) = Rect::from_xywh(*x, *y, *width, *height) {
                page.fill_rect(rectangle, &paint(*fill), Transform::identity(), None);
            }
        }
        Shape::Line {
            from,
            to,
            width,
            colour,
            dashed,
        } => {
            let mut path = PathBuilder::new();
            path.move_to(from[0], from[1]);
            path.line_to(to[0], to[1]);
            let dash = if *dashed {
                StrokeDash::new(vec![6.0, 4.0], 0.0)
            } else {
                None
            };
            let stroke = Stroke {
                width: *width,
                dash,
                ..Stroke::default()
            };
            if let Some(path) = path.finish() {
                page.stroke_path(&path, &paint(*colour), &stroke, Transform::identity(), None);
            }
        }
        Shape::Text {
            x,
            y,
            size,
            align,
            colour,
            text,
        } => {
            if let Some(path) = text_path(text, [*x, *y], *size, *align) {
                let rule = FillRule::Winding;
                page.fill_path(&path, &paint(*colour), rule, Transform::identity(), None);
            }
        }
    }
}

fn paint([red, green, blue]: Colour) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

/// The outlines of a text.
fn text_path(text: &str, [x, y]: [f32; 2], size: f32, align: Align) -> Option<Path> {
    let font = FONT.as_ref()?;
    let scale = size / font.units_per_em()?;
    let glyphs: Vec<GlyphId> = text.chars().map(|c| font.glyph_id(c)).collect();
    let advance = |glyph: &GlyphId| font.h_advance_unscaled(*glyph) * scale;
    let width: f32 = glyphs.iter().map(advance).sum();
    let mut left = match align {
        Align::Start => x,
        Align::Middle => x - width / 2.0,
        Align::End => x - width,
    };
    let mut path = PathBuilder::new();
    for glyph in &glyphs {
        if let Some(outline) = font.outline(*glyph) {
            add_outline(&mut path, &outline.curves, |point| {
                (left + point.x * scale, y - point.y * scale)
            });
        }
        left += advance(glyph);
    }
    path.finish()
}

fn add_outline(
    path: &mut PathBuilder,
    curves: &[OutlineCurve],
    place: impl Fn(&Point) -> (f32, f32),
) {
    let mut last = None;
    for curve in curves {
        let (from, to) = match curve {
            OutlineCurve::Line(from, to)
            | OutlineCurve::Quad(from, _, to)
            | OutlineCurve::Cubic(from, _, _, to) => (from, to),
        };
        if last != Some(*from) {
            let (x, y) = place(from);
            path.move_to(x, y);
        }
        last = Some(*to);
        let (x, y) = place(to);
        match curve {
            OutlineCurve::Line(..) => path.line_to(x, y),
            OutlineCurve::Quad(_, control, _) => {
                let (cx, cy) = place(control);
                path.quad_to(cx, cy, x, y);
            }
            OutlineCurve::Cubic(_, first, second, _) => {
                let ((ax, ay), (bx, by)) = (place(first), place(second));
                path.cubic_to(ax, ay, bx, by, x, y);
            }
        }
    }
}
