//! What a run says while it goes on.

use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::time::Instant;

use indicatif::{FormattedDuration, ProgressBar, ProgressStyle};
use train::{EvalMetrics, Observer, Plan, Precision, StepMetrics};

use crate::say;

/// Prints plan, evaluations and checkpoints as lines. Steps share one line of
/// the terminal, or have one each where every step is asked for.
pub struct Lines {
    every_step: bool,
    bar: ProgressBar,
    steps: u64,
    taken: u64,
    began: Instant,
}

impl Lines {
    /// Nothing said yet.
    pub fn new(every_step: bool) -> Self {
        let bar = match stderr().is_terminal() && !every_step {
            true => ProgressBar::new_spinner(),
            false => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self {
            every_step,
            bar,
            steps: 0,
            taken: 0,
            began: Instant::now(),
        }
    }

    /// Clears the line of the steps.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| say!("{text}"));
    }

    /// Time left, from the mean step of this sitting.
    fn left(&self, step: u64) -> String {
        let done = step.saturating_sub(self.taken).max(1) as f64;
        let left = self.steps.saturating_sub(step) as f64;
        FormattedDuration(self.began.elapsed().mul_f64(left / done)).to_string()
    }
}

impl Observer for Lines {
    fn planned(&mut self, plan: &Plan) {
        (self.steps, self.taken) = (plan.steps, plan.taken);
        self.began = Instant::now();
        plan_lines(plan).iter().for_each(|line| self.say(line));
    }

    fn stepped(&mut self, metrics: &StepMetrics) {
        // Fits into 80 columns.
        let line = format!(
            "{}/{} epoch {:.2} loss {:.4} rate {:.1e} norm {:.2} {:.0} tokens/s {} left",
            metrics.step,
            self.steps,
            metrics.epoch,
            metrics.loss,
            metrics.learning_rate,
            metrics.gradient_norm,
            metrics.tokens_per_second,
            self.left(metrics.step)
        );
        match self.every_step {
            true => self.say(&line),
            false => self.bar.set_message(line),
        }
    }

    fn evaluated(&mut self, metrics: &EvalMetrics) {
        self.say(&format!(
            "step {:6}  epoch {:.3}  validation loss {:.4}  accuracy {:.1} %  top-5 {:.1} %",
            metrics.step,
            metrics.epoch,
            metrics.validation_loss,
            100.0 * metrics.accuracy,
            100.0 * metrics.top5
        ));
    }

    fn saved(&mut self, path: &Path) {
        self.say(&format!("saved {}", path.display()));
    }
}

fn plan_lines(plan: &Plan) -> Vec<String> {
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    let mut lines = vec![format!(
        "{} parameters; {} pieces, {} of them too short; {} examples of {} tokens an epoch",
        plan.parameters, plan.pieces, plan.dropped, plan.examples, plan.tokens
    )];
    let precision = match plan.precision {
        Precision::F32 => String::new(),
        other => format!(" in {other}"),
    };
    lines.push(format!(
        "{} steps of {} x {} examples{precision}; about {:.1} GB of memory",
        plan.steps,
        plan.accumulations,
        plan.micro_batch_size,
        gigabytes(plan.memory).max(0.1)
    ));
    if plan.memory > plan.available {
        lines.push(format!(
            "warning: only {:.1} GB of memory are free; a smaller --micro-batch-size needs less",
            gigabytes(plan.available)
        ));
    }
    match &plan.baseline {
        Some(baseline) => lines.push(format!(
            "validation on {} windows; to beat: {:.4} nats a token by frequencies alone, {:.4} by pairs",
            plan.validation, baseline.unigram, baseline.bigram
        )),
        None => lines.push("no validation pieces: nothing is evaluated".to_owned()),
    }
    if plan.taken > 0 {
        lines.push(format!("going on after step {}", plan.taken));
    }
    lines
}
