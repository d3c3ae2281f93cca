//! A drawing as SVG.

use std::fmt::Write;

use super::drawing::{Align, Colour, Drawing, Shape};

impl Drawing {
    /// The drawing as an SVG document. Fonts are the reader's.
    pub fn to_svg(&self) -> String {
        let (width, height) = (self.width, self.height);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" \
             font-family=\"DejaVu Sans, Verdana, sans-serif\">\n<title>{}</title>\n",
            escaped(&self.description)
        );
        for shape in &self.shapes {
            // Writing to a string cannot fail.
            let _infallible = element(&mut svg, shape);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn element(svg: &mut String, shape: &Shape) -> std::fmt::Result {
    match shape {
        Shape::Rectangle {
            x,
            y,
            width,
            height,
            fill,
        } => writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
            number(*x),
            number(*y),
            number(*width),
            number(*height),
            hex(*fill)
        ),
        Shape::Line {
            from,
            to,
            width,
            colour,
            dashed,
        } => writeln!(
            svg,
            "<path d=\"M{} {}L{} {}\" stroke=\"{}\" stroke-width=\"{}\"{}/>",
            number(from[0]),
            number(from[1]),
            number(to[0]),
            number(to[1]),
            hex(*colour),
            number(*width),
            if *dashed {
                " stroke-dasharray=\"6 4\""
            } else {
                ""
            }
        ),
        Shape::Text {
            x,
            y,
            size,
            align,
            colour,
            text,
        } => writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{}\" fill=\"{}\">{}</text>",
            number(*x),
            number(*y),
            number(*size),
            match align {
                Align::Start => "start",
                Align::Middle => "middle",
                Align::End => "end",
            },
            hex(*colour),
            escaped(text)
        ),
    }
}

/// A length to a hundredth, without needless zeros.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn hex([red, green, blue]: Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Text within XML; control characters, which XML forbids, are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
