//! Shapes on a page: what a picture consists of before it is SVG or PNG.

/// Red, green, blue.
pub type Colour = [u8; 3];

/// Where a text's anchor lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At its beginning.
    Start,
    /// In its middle.
    Middle,
    /// At its end.
    End,
}

/// One thing drawn; lengths in pixels, y downwards.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A filled rectangle.
    Rectangle {
        /// Left edge.
        x: f32,
        /// Upper edge.
        y: f32,
        /// Width.
        width: f32,
        /// Height.
        height: f32,
        /// Filling.
        fill: Colour,
    },
    /// A straight line.
    Line {
        /// Both ends, x and y.
        from: [f32; 2],
        /// The other end.
        to: [f32; 2],
        /// Thickness.
        width: f32,
        /// Colour.
        colour: Colour,
        /// Whether it is dashed.
        dashed: bool,
    },
    /// A line of text.
    Text {
        /// Anchor.
        x: f32,
        /// Baseline.
        y: f32,
        /// Height of the font.
        size: f32,
        /// Where the anchor lies.
        align: Align,
        /// Colour.
        colour: Colour,
        /// What it says.
        text: String,
    },
}

/// A page with shapes; later ones cover earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// Width of the page.
    pub width: u32,
    /// Height of the page.
    pub height: u32,
    /// What the picture shows, for those who cannot see it.
    pub description: String,
    /// The shapes, in order.
    pub shapes: Vec<Shape>,
}

impl Drawing {
    /// Adds a rectangle, if it has any size.
    pub(super) fn rectangle(&mut self, x: f32, y: f32, width: f32, height: f32, fill: Colour) {
        if width > 0.0 && height > 0.0 {
            self.shapes.push(Shape::Rectangle {
                x,
                y,
                width,
                height,
                fill,
            });
        }
    }

    /// Adds a line.
    pub(super) fn line(&mut self, from: [f32; 2], to: [f32; 2], width: f32, colour: Colour) {
        self.shapes.push(Shape::Line {
            from,
            to,
            width,
            colour,
            dashed: false,
        });
    }

    /// Adds a dashed line.
    pub(super) fn dashes(&mut self, from: [f32; 2], to: [f32; 2], width: f32, colour: Colour) {
        self.shapes.push(Shape::Line {
            from,
            to,
            width,
            colour,
            dashed: true,
        });
    }

    /// Adds a text; characters that the font lacks become question marks.
    pub(super) fn text(
        &mut self,
        [x, y]: [f32; 2],
        size: f32,
        align: Align,
        colour: Colour,
        text: &str,
    ) {
        let known = |c: char| if super::png::has_glyph(c) { c } else { '?' };
        self.shapes.push(Shape::Text {
            x,
            y,
            size,
            align,
            colour,
            text: text.chars().map(known).collect(),
        });
    }
}
