//! `tchaikovsky train`: a dataset folder to a model.

mod arguments;
mod lines;

use std::path::{Path, PathBuf};

use anyhow::Context;
use corpus::Dataset;
use model::ModelFolder;
use model::folder::TOKENIZER_FILE;
use train::{
    About, AugmentedPieces, Checkpoint, End, Outcome, Pieces, Run, Sets, Start, read_pieces,
    run as train_run,
};

pub use self::arguments::Args;
use self::lines::Lines;
use crate::device;
use crate::say;
use crate::stop;
use crate::usage::{stopped, wrong_use};

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let device = device::open(args.device)?.device;
    let dataset = Dataset::open(&args.dataset)?;
    let options = args.options();
    options
        .validate()
        .map_err(|error| wrong_use(error.to_string()))?;
    let start = start(&args, &dataset)?;
    let out = out_folder(&args)?;
    let sets = Sets::new(&dataset, args.subset_proportion, args.val_proportion);
    if sets.train.is_empty() {
        return Err(wrong_use(format!(
            "nothing to train on: of {} pieces the dataset keeps {} for validation and tests, and {} more are held out; make it with a lower --valid-proportion, or lower --val-proportion",
            dataset.pieces().len(),
            sets.kept_back,
            sets.valid.len().saturating_sub(sets.kept_back),
        )));
    }
    let train: Box<dyn Pieces> = match options.augment {
        true => Box::new(AugmentedPieces::read(&dataset, &sets.train, args.seed)?),
        false => Box::new(read_pieces(&dataset, &sets.train)?),
    };
    let valid = read_pieces(&dataset, &sets.valid)?;
    let stop = stop::on_signal()?;
    let mut lines = Lines::new(args.verbose);
    let outcome = train_run(
        Run {
            options,
            start,
            train: train.as_ref(),
            valid: &valid,
            out: &out,
            device,
            about: About {
                data: format!("{} pieces of {}", train.len(), dataset.folder().display()),
                licence: "that of the data".to_owned(),
            },
            stop,
        },
        &mut lines,
    );
    lines.finish();
    report(&outcome?, &args, &out)
}

fn start(args: &Args, dataset: &Dataset) -> anyhow::Result<Start> {
    let file = dataset.folder().join(TOKENIZER_FILE);
    let tokenizer = std::fs::read(&file).with_context(|| file.display().to_string())?;
    let check = |folder: &Path, model: &ModelFolder| {
        model.check_tokenizer(folder, &file, &tokenizer)?;
        model.config.check_vocab(dataset.tokenizer().len())?;
        args.check_shape(&model.config)
    };
    if let Some(folder) = &args.resume {
        let checkpoint = Checkpoint::read(folder)?;
        check(folder, &checkpoint.folder)?;
        let stored = checkpoint.folder.config.dropout;
        if args.dropout.is_some_and(|dropout| dropout != stored) {
            return Err(wrong_use(format!(
                "the run has --dropout {stored}: resume without --dropout, or start anew from its weights with --init"
            )));
        }
        return Ok(Start::Resume(Box::new(checkpoint)));
    }
    if let Some(folder) = &args.init {
        let mut model = ModelFolder::read(&train::checkpoint::resolve(folder)?)?;
        check(folder, &model)?;
        if model.config.use_bf16 {
            eprintln!(
                "the model is the original's, trained in bf16; what is trained from it here is f32 and does not round as the original's generate.py"
            );
        }
        model.config.dropout = args.dropout.unwrap_or(model.config.dropout);
        return Ok(Start::FineTune(model));
    }
    let config = args.shape(dataset.tokenizer().len())?;
    Ok(Start::Fresh(config, tokenizer))
}

fn out_folder(args: &Args) -> anyhow::Result<PathBuf> {
    let of_checkpoint = |folder: &Path| match folder.join("config.json").is_file() {
        true => folder.parent().map(Path::to_owned),
        false => Some(folder.to_owned()),
    };
    let resumed = args.resume.as_deref().and_then(of_checkpoint);
    if let Some(out) = args.out.clone().or(resumed) {
        let begun = !train::checkpoint::list(&out).is_empty();
        if begun && args.resume.is_none() {
            let out = out.display();
            return Err(wrong_use(format!(
                "{out} holds a run already; go on with it by --resume {out}, or choose another --out"
            )));
        }
        return Ok(out);
    }
    let now = jiff::Zoned::now().strftime("%Y-%m-%d_%H-%M-%S");
    Ok(Path::new("checkpoints").join(now.to_string()))
}

fn report(outcome: &Outcome, args: &Args, out: &Path) -> anyhow::Result<()> {
    if let Some(best) = &outcome.best {
        say!(
            "best validation loss {:.4} at step {}",
            best.validation_loss,
            best.step
        );
    }
    say!("model {}", outcome.checkpoint.display());
    match outcome.end {
        End::Finished => Ok(()),
        End::StoppedEarly => {
            say!("stopped early: the validation loss no longer fell");
            Ok(())
        }
        End::Stopped => Err(stopped(format!(
            "stopped at step {}; go on with: tchaikovsky train --dataset {} --resume {}",
            outcome.steps,
            args.dataset.display(),
            out.display()
        ))),
    }
}
