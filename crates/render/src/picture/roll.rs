//! The layout of a piano roll: lines of equal length under one another, each
//! with a keyboard, bars above, seconds and the pedal below.

use score::{Note, Score, TempoMap};

use super::axis::{self, Bar};
use super::colours;
use super::drawing::{Align, Drawing};

/// What a picture shows beside the notes.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureOptions {
    /// Words above the roll.
    pub title: String,
    /// Width in pixels; from 480 to 4000 (what is beyond is taken as the nearest).
    pub width: u32,
    /// Seconds of a line; without it lines hold up to 40 seconds, more where
    /// there would be more than 20 lines.
    pub seconds_a_line: Option<f64>,
    /// Where the prompt ends and what was generated begins, in seconds.
    pub prompt_seconds: Option<f64>,
}

impl Default for PictureOptions {
    fn default() -> Self {
        Self {
            title: String::new(),
            width: 1600,
            seconds_a_line: None,
            prompt_seconds: None,
        }
    }
}

const MARGIN: f32 = 24.0;
const HEADER: f32 = 56.0;
/// Room for key names, and the keyboard itself.
const NAMES: f32 = 30.0;
const KEYBOARD: f32 = 38.0;
const ROW: f32 = 5.0;
/// Above a roll for bar numbers, below for the pedal and for seconds.
const BARS: f32 = 18.0;
const PEDAL: f32 = 9.0;
const SECONDS: f32 = 22.0;
const BETWEEN_LINES: f32 = 16.0;
const SECONDS_A_LINE: f64 = 40.0;
const MOST_LINES: f64 = 20.0;
/// No line is shorter, nor are there more lines, whatever is asked for.
const LEAST_SECONDS_A_LINE: f64 = 0.5;
const MOST_LINES_ASKED_FOR: f64 = 400.0;
const FEWEST_ROWS: u8 = 24;

/// Draws a score, its drums left out. The height follows from the length.
pub fn draw(score: &Score, options: &PictureOptions) -> Drawing {
    let roll = Roll::new(score, options);
    let mut page = Drawing {
        width: roll.page_width,
        height: roll.page_height(),
        description: roll.description(score, options),
        shapes: Vec::new(),
    };
    let (width, height) = (page.width as f32, page.height as f32);
    page.rectangle(0.0, 0.0, width, height, colours::PAPER);
    header(&mut page, options);
    for line in 0..roll.lines {
        roll.background(&mut page, line);
        roll.bars(&mut page, line);
        roll.seconds(&mut page, line);
        roll.pedals(&mut page, line);
        roll.notes(&mut page, line);
        roll.boundary(&mut page, line);
        roll.keyboard(&mut page, line);
    }
    page
}

/// A note or pedal in seconds.
struct Span {
    from: f64,
    to: f64,
}

struct Roll {
    notes: Vec<(Span, Note)>,
    pedals: Vec<Span>,
    bars: Vec<Bar>,
    prompt: Option<f64>,
    lowest: u8,
    highest: u8,
    page_width: u32,
    lines: usize,
    seconds_a_line: f64,
    end: f64,
}

impl Roll {
    fn new(score: &Score, options: &PictureOptions) -> Self {
        let map = TempoMap::new(score);
        let span = |onset, end| Span {
            from: map.seconds(onset),
            to: map.seconds(end),
        };
        let tracks = || score.tracks.iter().filter(|track| !track.is_drum);
        let mut notes: Vec<(Span, Note)> = tracks()
            .flat_map(|track| &track.notes)
            .map(|note| (span(note.onset, note.end()), *note))
            .collect();
        // Later notes lie over earlier ones, short ones over long ones.
        notes.sort_by(|(a, _), (b, _)| a.from.total_cmp(&b.from).then(b.to.total_cmp(&a.to)));
        let pedals = tracks().flat_map(|track| &track.pedals);
        let pedals: Vec<Span> = pedals.map(|p| span(p.onset, p.end())).collect();
        let end = notes.iter().map(|(span, _)| span.to).fold(0.0, f64::max);
        let length = end.max(1.0);
        let even = |seconds: f64| length / (length / seconds).ceil();
        let seconds_a_line = match options.seconds_a_line {
            Some(seconds) => seconds
                .max(LEAST_SECONDS_A_LINE)
                .max(length / MOST_LINES_ASKED_FOR),
            None => even(SECONDS_A_LINE.max(length / MOST_LINES)),
        };
        let (lowest, highest) = pitch_range(&notes);
        Self {
            bars: axis::bars(score),
            prompt: options.prompt_seconds.filter(|seconds| *seconds > 0.0),
            page_width: options.width.clamp(480, 4000),
            // A hair of a line more is none.
            lines: ((length / seconds_a_line - 1e-6).ceil() as usize).max(1),
            notes,
            pedals,
            lowest,
            highest,
            seconds_a_line,
            end,
        }
    }

    fn description(&self, score: &Score, options: &PictureOptions) -> String {
        let notes = score.note_count();
        let length = axis::clock(self.end);
        match options.title.is_empty() {
            true => format!("Piano roll: {notes} notes, {length}"),
            false => format!("{}: piano roll, {notes} notes, {length}", options.title),
        }
    }

    fn roll_height(&self) -> f32 {
        f32::from(self.highest - self.lowest + 1) * ROW
    }

    fn line_height(&self) -> f32 {
        BARS + self.roll_height() + PEDAL + SECONDS + BETWEEN_LINES
    }

    fn page_height(&self) -> u32 {
        let height = HEADER + self.lines as f32 * self.line_height() + MARGIN - BETWEEN_LINES;
        height.ceil() as u32
    }

    /// Left and right edge of the roll.
    fn edges(&self) -> (f32, f32) {
        (MARGIN + NAMES + KEYBOARD, self.page_width as f32 - MARGIN)
    }

    fn top(&self, line: usize) -> f32 {
        HEADER + line as f32 * self.line_height() + BARS
    }

    fn y(&self, line: usize, pitch: u8) -> f32 {
        self.top(line) + f32::from(self.highest - pitch) * ROW
    }

    fn scale(&self) -> f64 {
        let (left, right) = self.edges();
        f64::from(right - left) / self.seconds_a_line
    }

    /// Where a time lies on a line, within its edges.
    fn x(&self, line: usize, seconds: f64) -> f32 {
        let (left, right) = self.edges();
        let on_line = seconds - line as f64 * self.seconds_a_line;
        (left + (on_line * self.scale()) as f32).clamp(left, right)
    }

    /// Whether a time lies on a line; its end belongs to the next.
    fn on_line(&self, line: usize, seconds: f64) -> bool {
        let from = line as f64 * self.seconds_a_line;
        seconds >= from && seconds < from + self.seconds_a_line
    }

    fn background(&self, page: &mut Drawing, line: usize) {
        let (left, right) = self.edges();
        let (top, height) = (self.top(line), self.roll_height());
        let prompt_to = self.prompt.map_or(left, |seconds| self.x(line, seconds));
        page.rectangle(left, top, prompt_to - left, height, colours::PROMPT);
        for pitch in (self.lowest..=self.highest).filter(|pitch| is_black(*pitch)) {
            let y = self.y(line, pitch);
            page.rectangle(left, y, prompt_to - left, ROW, colours::PROMPT_BLACK_ROW);
            page.rectangle(prompt_to, y, right - prompt_to, ROW, colours::BLACK_ROW);
        }
        for pitch in (self.lowest..=self.highest).filter(|pitch| pitch.is_multiple_of(12)) {
            let y = self.y(line, pitch) + ROW;
            page.line([left, y], [right, y], 0.7, colours::FINE_LINE);
        }
    }

    fn bars(&self, page: &mut Drawing, line: usize) {
        let (top, height) = (self.top(line), self.roll_height());
        let mut free_from = 0.0_f32;
        let mut last = f32::NEG_INFINITY;
        for bar in self
            .bars
            .iter()
            .filter(|bar| self.on_line(line, bar.seconds))
        {
            let x = self.x(line, bar.seconds);
            if x - last < 4.0 {
                continue;
            }
            last = x;
            page.line([x, top], [x, top + height], 0.8, colours::BAR_LINE);
            if x >= free_from {
                let text = bar.number.to_string();
                page.text([x, top - 5.0], 10.0, Align::Start, colours::LABEL, &text);
                free_from = x + 7.0 * text.len() as f32 + 14.0;
            }
        }
        let (left, _) = self.edges();
        page.text(
            [left - 6.0, top - 5.0],
            10.0,
            Align::End,
            colours::LABEL,
            "bar",
        );
    }

    fn seconds(&self, page: &mut Drawing, line: usize) {
        let (left, right) = self.edges();
        let y = self.top(line) + self.roll_height() + PEDAL;
        page.line([left, y], [right, y], 0.8, colours::LABEL);
        let step = axis::second_step(self.scale(), 64.0);
        let from = line as f64 * self.seconds_a_line;
        let first = (from / step).ceil() as u64;
        let last = ((from + self.seconds_a_line) / step).floor() as u64;
        for mark in first..=last {
            let seconds = mark as f64 * step;
            let x = self.x(line, seconds);
            page.line([x, y], [x, y + 4.0], 0.8, colours::LABEL);
            let text = axis::clock(seconds);
            page.text([x, y + 15.0], 10.0, Align::Middle, colours::LABEL, &text);
        }
    }

    fn pedals(&self, page: &mut Drawing, line: usize) {
        let (left, _) = self.edges();
        let y = self.top(line) + self.roll_height();
        for pedal in &self.pedals {
            let (from, to) = (self.x(line, pedal.from), self.x(line, pedal.to));
            // A sliver of paper shows where the pedal was changed.
            let width = if to - from > 3.0 {
                to - from - 1.0
            } else {
                to - from
            };
            page.rectangle(from, y + 2.5, width, PEDAL - 4.0, colours::PEDAL);
        }
        if !self.pedals.is_empty() {
            let at = [left - 6.0, y + PEDAL - 1.0];
            page.text(at, 9.0, Align::End, colours::LABEL, "pedal");
        }
    }

    fn notes(&self, page: &mut Drawing, line: usize) {
        let from = line as f64 * self.seconds_a_line;
        let to = from + self.seconds_a_line;
        for (span, note) in &self.notes {
            if span.to < from || span.from >= to {
                continue;
            }
            let (x, end) = (self.x(line, span.from), self.x(line, span.to));
            let begins = span.from >= from;
            if !begins && end - x < 0.5 {
                continue;
            }
            let y = self.y(line, note.pitch);
            // Short notes stay visible; a gap parts repeated ones.
            let width = (end - x - 0.6).max(1.6);
            let (_, right) = self.edges();
            let width = width.min(right - x);
            page.rectangle(
                x,
                y + 0.3,
                width,
                ROW - 0.6,
                colours::velocity(note.velocity),
            );
        }
    }

    fn boundary(&self, page: &mut Drawing, line: usize) {
        let Some(seconds) = self.prompt.filter(|seconds| self.on_line(line, *seconds)) else {
            return;
        };
        let x = self.x(line, seconds);
        let (top, height) = (self.top(line), self.roll_height());
        let bottom = top + height + PEDAL;
        page.dashes([x, top - 14.0], [x, bottom], 1.6, colours::BOUNDARY);
        page.rectangle(x - 53.0, top + 3.0, 48.0, 14.0, colours::PROMPT);
        page.rectangle(x + 5.0, top + 3.0, 66.0, 14.0, colours::PAPER);
        let ink = colours::BOUNDARY;
        page.text([x - 7.0, top + 14.0], 11.0, Align::End, ink, "prompt");
        page.text([x + 7.0, top + 14.0], 11.0, Align::Start, ink, "generated");
    }

    fn keyboard(&self, page: &mut Drawing, line: usize) {
        let (left, right) = self.edges();
        let (top, height) = (self.top(line), self.roll_height());
        let keys = left - KEYBOARD;
        page.rectangle(keys, top, KEYBOARD, height, colours::PAPER);
        for pitch in self.lowest..=self.highest {
            let y = self.y(line, pitch);
            if is_black(pitch) {
                page.rectangle(keys, y, KEYBOARD * 0.62, ROW, colours::INK);
                let middle = y + ROW / 2.0;
                let from = [keys + KEYBOARD * 0.62, middle];
                page.line(from, [left, middle], 0.6, colours::BAR_LINE);
            } else if matches!(pitch % 12, 0 | 5) {
                page.line([keys, y + ROW], [left, y + ROW], 0.6, colours::BAR_LINE);
            }
            if pitch.is_multiple_of(12) {
                let name = format!("C{}", i16::from(pitch / 12) - 1);
                let at = [keys - 5.0, y + ROW + 1.0];
                page.text(at, 10.0, Align::End, colours::LABEL, &name);
            }
        }
        let corners = [
            [keys, top],
            [right, top],
            [right, top + height],
            [keys, top + height],
        ];
        for (index, corner) in corners.iter().enumerate() {
            page.line(*corner, corners[(index + 1) % 4], 0.9, colours::INK);
        }
        page.line([left, top], [left, top + height], 0.9, colours::INK);
    }
}

/// The title, and what the colours mean.
fn header(page: &mut Drawing, options: &PictureOptions) {
    let y = 34.0;
    let ink = colours::INK;
    let right = page.width as f32 - MARGIN;
    let bar = 127.0;
    page.text([right, y], 11.0, Align::End, colours::LABEL, "loud");
    let from = right - 34.0 - bar;
    for velocity in 1..=127_u8 {
        let x = from + f32::from(velocity - 1);
        page.rectangle(x, y - 10.0, 1.5, 12.0, colours::velocity(velocity));
    }
    let label = "velocity: soft";
    page.text([from - 7.0, y], 11.0, Align::End, colours::LABEL, label);
    // What does not fit beside the legend is cut.
    let room = ((from - 110.0 - MARGIN) / 9.0).max(0.0) as usize;
    let mut title: String = options.title.chars().take(room).collect();
    if title.len() < options.title.len() {
        title.push('\u{2026}');
    }
    page.text([MARGIN, y], 15.0, Align::Start, ink, &title);
}

fn is_black(pitch: u8) -> bool {
    matches!(pitch % 12, 1 | 3 | 6 | 8 | 10)
}

/// The rows of a roll: all notes, a little room, two octaves at least.
fn pitch_range(notes: &[(Span, Note)]) -> (u8, u8) {
    let pitches = || notes.iter().map(|(_, note)| note.pitch.min(127));
    let (Some(lowest), Some(highest)) = (pitches().min(), pitches().max()) else {
        return (60 - FEWEST_ROWS / 2, 60 + FEWEST_ROWS / 2);
    };
    let missing = FEWEST_ROWS.saturating_sub(highest - lowest);
    let room = 2 + missing / 2;
    (lowest.saturating_sub(room), (highest + room).min(127))
}
