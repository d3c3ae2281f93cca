//! All figures as a table.

use figures::{FIGURES, HISTOGRAMS, Likeness, Summary};

use super::report::{Named, Report, STUCK};
use crate::say;

/// Prints a report for readers.
pub fn print(report: &Report) -> anyhow::Result<()> {
    let (music, reference) = (&report.music, report.reference.as_ref());
    place("music", music);
    if let Some(reference) = reference {
        place("reference", reference);
    }
    let head = match reference {
        Some(_) => "reference           overlap  divergence",
        None => "",
    };
    say!("{}", format!("\n{:20}{:20}{head}", "", "music").trim_end());
    for (index, figure) in FIGURES.iter().enumerate() {
        let of = |named: &Named| named.set.summary(index);
        if of(music).is_some() {
            let likeness =
                reference.and_then(|reference| music.set.likeness(&reference.set, index));
            line(figure.name, of(music), reference.map(of), likeness);
        }
    }
    if music.set.longest_runs().is_some() {
        let runs = |named: &Named| named.set.longest_runs();
        line("longest_copied_run", runs(music), reference.map(runs), None);
        let patterns = |named: &Named| named.set.copied_patterns();
        line(
            "copied_patterns",
            patterns(music),
            reference.map(patterns),
            None,
        );
    }
    if let Some(reference) = reference {
        say!(
            "\n{:20}{:20}",
            "histogram",
            "overlap  divergence, of all notes; of pieces"
        );
        for (index, histogram) in HISTOGRAMS.iter().enumerate() {
            let notes = music.set.notes_likeness(&reference.set, index);
            let pieces = music.set.histogram_likeness(&reference.set, index);
            say!(
                "{:20}{}    {}",
                histogram.name,
                likeness(notes),
                likeness(pieces)
            );
        }
    }
    say!("");
    for (name, named) in [("music", Some(music)), ("reference", reference)] {
        if let Some(named) = named {
            copied(name, named);
            stuck(name, named);
        }
    }
    Ok(())
}

fn place(name: &str, named: &Named) {
    let skipped = match named.skipped.len() {
        0 => String::new(),
        count => format!(", {count} files skipped"),
    };
    say!(
        "{name:10} {}: {} pieces{skipped}",
        named.place,
        named.set.pieces.len()
    );
}

/// Mean and standard deviation of both, and how alike they are.
fn line(
    name: &str,
    music: Option<Summary>,
    reference: Option<Option<Summary>>,
    alike: Option<Likeness>,
) {
    let mut line = format!("{name:20}{:20}", summary(music));
    if let Some(reference) = reference {
        line += &format!("{:20}", summary(reference));
        if alike.is_some() {
            line += &likeness(alike);
        }
    }
    say!("{}", line.trim_end());
}

fn summary(summary: Option<Summary>) -> String {
    match summary {
        Some(summary) => format!("{:.3} ± {:.3}", summary.mean, summary.deviation),
        None => "-".to_owned(),
    }
}

fn likeness(likeness: Option<Likeness>) -> String {
    match likeness {
        Some(likeness) => format!(
            "{:7.3}{:12.3}",
            likeness.overlapping_area, likeness.divergence
        ),
        None => format!("{:>7}{:>12}", "-", "-"),
    }
}

fn stuck(name: &str, named: &Named) {
    let stuck = named.stuck();
    let share = 100.0 * STUCK;
    say!(
        "{name}: {} pieces are exact loops for more than {share} % of their length",
        stuck.len()
    );
    stuck.iter().for_each(|file| say!("  {file}"));
}

fn copied(name: &str, named: &Named) {
    if let Some(runs) = named.set.longest_runs() {
        say!("{name}: at most {} notes in a row are copied", runs.most);
    }
}
