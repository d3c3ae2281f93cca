//! Progress on standard error; silent where that is no terminal.

use std::sync::Mutex;

use corpus::{Observer, Stage};
use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar for each stage of building a dataset.
pub struct Bars(Mutex<ProgressBar>);

impl Bars {
    /// No bar yet.
    pub fn new() -> Self {
        Self(Mutex::new(ProgressBar::hidden()))
    }

    /// Clears the last bar.
    pub fn finish(&self) {
        if let Ok(bar) = self.0.lock() {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Bars {
    fn begin(&self, stage: Stage, total: usize) {
        let message = match stage {
            Stage::Encode => "encoding files",
            Stage::Train => "learning BPE",
            Stage::Apply => "applying BPE",
        };
        let bar = match total {
            0 => spinner(),
            _ => bar(total as u64, "files"),
        };
        bar.set_message(message);
        if let Ok(mut current) = self.0.lock() {
            current.finish_and_clear();
            *current = bar;
        }
    }

    fn advance(&self, steps: usize) {
        if let Ok(bar) = self.0.lock() {
            bar.inc(steps as u64);
        }
    }
}

/// A bar with rate and time left.
pub fn bar(total: u64, unit: &str) -> ProgressBar {
    let template =
        format!("{{msg}} {{bar:30}} {{pos}}/{{len}} {unit}, {{per_sec:.0}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template);
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{msg} {spinner} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    bar
}
