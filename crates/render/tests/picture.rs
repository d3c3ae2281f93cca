//! Pictures: what is in them, and that strange scores do no harm.

use render::{Drawing, PictureOptions, Shape, draw};
use score::{Note, Pedal, Score, Tempo, TimeSignature, Track};
use tiny_skia::Pixmap;

fn score(notes: &[(u32, u32, u8, u8)]) -> Score {
    let mut score = Score::new(500);
    let note = |&(onset, duration, pitch, velocity): &(u32, u32, u8, u8)| Note {
        onset,
        duration,
        pitch,
        velocity,
    };
    let mut track = Track::piano();
    track.notes = notes.iter().map(note).collect();
    score.tracks.push(track);
    score
}

fn texts(drawing: &Drawing) -> Vec<&str> {
    let text = |shape: &'_ Shape| matches!(shape, Shape::Text { .. });
    let shapes = drawing.shapes.iter().filter(|shape| text(shape));
    shapes
        .filter_map(|shape| match shape {
            Shape::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// Notes by their colour, which no other shape of the roll has.
fn notes(drawing: &Drawing, fill: [u8; 3]) -> Vec<(f32, f32, f32)> {
    let note = |shape: &Shape| match shape {
        Shape::Rectangle {
            x,
            y,
            width,
            height,
            fill: colour,
        } if *colour == fill && *height < 5.0 => Some((*x, *y, *width)),
        _ => None,
    };
    drawing.shapes.iter().filter_map(note).collect()
}

const LOUDEST: [u8; 3] = [68, 1, 84];

#[test]
fn notes_lie_where_time_and_pitch_say() {
    let drawing = draw(
        &score(&[
            (0, 1000, 60, 127),
            (1000, 2000, 67, 127),
            (3000, 1000, 60, 1),
        ]),
        &PictureOptions::default(),
    );
    let found = notes(&drawing, LOUDEST);
    let [(x, y, width), (later, higher, longer)] = found[..] else {
        panic!("{found:?}");
    };
    let second = later - x;
    assert!((width - second + 0.6).abs() < 0.1 && (longer - 2.0 * second + 0.6).abs() < 0.1);
    assert!((y - higher - 35.0).abs() < 0.1, "seven rows of five pixels");
}

#[test]
fn a_long_piece_is_broken_into_lines_and_a_note_over_the_break_is_in_both() {
    let options = PictureOptions {
        seconds_a_line: Some(10.0),
        ..PictureOptions::default()
    };
    let piece = [
        (0, 8_000, 60, 127),
        (9_000, 2_000, 60, 127),
        (29_000, 500, 60, 127),
    ];
    let drawing = draw(&score(&piece), &options);
    assert_eq!(notes(&drawing, LOUDEST).len(), 4);
    let one_line = draw(&score(&piece[..1]), &options);
    assert!(drawing.height > 2 * one_line.height);
    let words = texts(&drawing);
    assert!(words.contains(&"10 s") && words.contains(&"25 s") && words.contains(&"15"));
}

#[test]
fn the_prompt_is_told_apart() {
    let options = |prompt_seconds| PictureOptions {
        prompt_seconds,
        ..PictureOptions::default()
    };
    let piece = score(&[(0, 8_000, 60, 127)]);
    let with = draw(&piece, &options(Some(3.0)));
    assert!(texts(&with).contains(&"prompt") && texts(&with).contains(&"generated"));
    let without = draw(&piece, &options(None));
    assert!(!texts(&without).contains(&"prompt"));
}

#[test]
fn svg_is_well_formed_and_says_what_it_shows() {
    let options = PictureOptions {
        title: "<Rondo> & \"Coda\" \u{7} \u{4e00}".to_owned(),
        ..PictureOptions::default()
    };
    let svg = draw(&score(&[(0, 1000, 60, 90)]), &options).to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let title = document
        .descendants()
        .find(|node| node.has_tag_name("title"));
    assert!(
        title
            .unwrap()
            .text()
            .unwrap()
            .contains("<Rondo> & \"Coda\"")
    );
    let words = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    let words: Vec<_> = words.filter_map(|node| node.text()).collect();
    assert!(words.contains(&"<Rondo> & \"Coda\" ? ?"), "{words:?}");
}

#[test]
fn png_and_svg_show_the_same() {
    let drawing = draw(&score(&[(0, 1000, 60, 127)]), &PictureOptions::default());
    let png = drawing.to_png().unwrap();
    assert_eq!(png, drawing.to_png().unwrap());
    let page = Pixmap::decode_png(&png).unwrap();
    assert_eq!(
        (page.width(), page.height()),
        (drawing.width, drawing.height)
    );
    let (x, y, width) = notes(&drawing, LOUDEST)[0];
    let pixel = page.pixel((x + width / 2.0) as u32, y as u32 + 2).unwrap();
    assert_eq!([pixel.red(), pixel.green(), pixel.blue()], LOUDEST);
    let title_corner = page.pixel(2, 2).unwrap();
    assert_eq!(title_corner.red(), 255);
}

#[test]
fn strange_scores_are_drawn() {
    let last = i32::MAX as u32;
    let mut strange = score(&[(0, 0, 0, 0), (0, last, 127, 127), (last, 5, 255, 255)]);
    strange.ticks_per_quarter = 1;
    strange.tracks[0].pedals.push(Pedal {
        onset: 7,
        duration: last,
    });
    let mut many = score(&[(0, 10_000_000, 60, 60)]);
    for (onset, numerator, denominator) in [(0, 0, 0), (5, 255, 128), (7, 1, 128), (9, 0, 4)] {
        many.time_signatures.push(TimeSignature {
            onset,
            numerator,
            denominator,
        });
    }
    let mut still = score(&[(0, 1000, 60, 60)]);
    still.tempos.push(Tempo {
        onset: 0,
        microseconds_per_quarter: 0,
    });
    for piece in [Score::new(1), strange, many, still] {
        for seconds_a_line in [None, Some(1e12), Some(400.0)] {
            let options = PictureOptions {
                seconds_a_line,
                prompt_seconds: Some(1e9),
                width: 0,
                ..PictureOptions::default()
            };
            let drawing = draw(&piece, &options);
            assert!(drawing.shapes.len() < 200_000, "{}", drawing.shapes.len());
            if drawing.height < 20_000 {
                drawing.to_png().unwrap();
            }
        }
    }
}

#[test]
fn a_picture_beyond_all_measure_is_refused() {
    let options = PictureOptions {
        seconds_a_line: Some(0.5),
        ..PictureOptions::default()
    };
    let error = draw(&score(&[(0, 900_000, 60, 60)]), &options).to_png();
    assert!(error.unwrap_err().to_string().contains("too many"));
}
