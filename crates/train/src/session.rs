//! The state of a running run, and its cadence: when to evaluate and save.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use model::atomic::remove_unfinished;
use model::{ModelConfig, ModelFolder, Score, Weights};

use crate::batches::{Batches, Position};
use crate::card::{About, card};
use crate::checkpoint::{Best, Checkpoint, TrainState, list, prune};
use crate::error::TrainError;
use crate::evaluate::evaluate;
use crate::lock::RunLock;
use crate::log::{Log, draw_curve};
use crate::memory::{Memory, available_bytes};
use crate::metrics::{EvalMetrics, Observer, Plan, StepMetrics};
use crate::ngram::Baseline;
use crate::pieces::Limits;
use crate::run::{End, Run, Start};
use crate::trainer::{Finished, Trainer};
use crate::validation::Validation;

/// A run between two micro batches.
pub(crate) struct Session<'a> {
    config: ModelConfig,
    tokenizer: Vec<u8>,
    state: TrainState,
    trainer: Trainer,
    batches: Batches<'a>,
    validation: Validation,
    plan: Plan,
    log: Log,
    _lock: RunLock,
    out: &'a Path,
    about: About,
    stop: &'a AtomicBool,
    began: Instant,
    /// Seconds of earlier sittings.
    before: f64,
    /// The last checkpoint of this sitting and the micro batches it had seen.
    saved: Option<(u64, PathBuf)>,
}

impl<'a> Session<'a> {
    /// Checks the run's inputs, prepares its folder and loads the model.
    ///
    /// # Errors
    /// Any [`TrainError`]; nothing is written before all inputs are checked.
    pub(crate) fn new(run: Run<'a>) -> Result<Self, TrainError> {
        let Run {
            options,
            start,
            train,
            valid,
            out,
            device,
            about,
            stop,
        } = run;
        options.validate()?;
        if !matches!(start, Start::Resume(_)) && !list(out).is_empty() {
            return Err(TrainError::OutTaken(out.to_owned()));
        }
        let (config, tokenizer, weights, resumed) = match start {
            Start::Fresh(config, tokenizer) => {
                config.validate()?;
                let weights = Weights::initial(&config, options.seed);
                (config, tokenizer, weights, None)
            }
            Start::FineTune(folder) => {
                let config = ModelConfig {
                    use_bf16: false,
                    ..folder.config
                };
                (config, folder.tokenizer, folder.weights, None)
            }
            Start::Resume(checkpoint) => {
                let Checkpoint {
                    folder,
                    state,
                    optimiser,
                } = *checkpoint;
                (
                    folder.config,
                    folder.tokenizer,
                    folder.weights,
                    Some((state, optimiser)),
                )
            }
        };
        let limits = Limits {
            min: options.min_sequence_length,
            max: config.max_sequence_length,
        };
        let stream = |position| {
            let (chunks, seed, workers) = (options.chunks, options.seed, options.num_workers);
            Batches::new(train, chunks, limits, seed, position, workers)
        };
        let first = stream(Position::default())?;
        let memory = Memory::of(&options, &device);
        let state = match &resumed {
            Some((state, _)) => state.continued(&options, train.len(), first.examples())?,
            None => TrainState::fresh(&options, &config, train.len(), first.examples(), memory),
        };
        let every = (options.batch_size / state.micro_batch_size) as u32;
        let validation = Validation::new(
            valid,
            options.chunks,
            config.max_sequence_length,
            options.eval_examples,
        );
        let plan = Plan {
            parameters: config.parameter_count(),
            pieces: train.len(),
            dropped: first.dropped(),
            examples: first.examples(),
            tokens: first.tokens(),
            steps: state.total_steps,
            taken: state.step,
            micro_batch_size: state.micro_batch_size,
            accumulations: every,
            precision: options.precision,
            validation: validation.windows().len(),
            available: available_bytes(),
            memory: memory.bytes(&config, state.micro_batch_size),
            baseline: (!validation.is_empty()).then(|| {
                let counts = Baseline::count(config.vocab_size, first.sequences());
                counts.nats(validation.windows())
            }),
        };
        let batches = match state.position == Position::default() {
            true => first,
            false => stream(state.position)?,
        };
        let schedule = options.schedule(state.total_steps);
        let mut trainer = Trainer::new(&config, weights, &options, schedule, every, &device)?;
        if let Some((state, optimiser)) = resumed {
            trainer.restore(
                optimiser,
                state.step,
                state.accumulations,
                state.micro_batches,
                state.loss_sum,
            )?;
        }
        std::fs::create_dir_all(out).map_err(TrainError::io(out))?;
        let lock = RunLock::take(out)?;
        remove_unfinished(&out.join("any")).map_err(TrainError::io(out))?;
        Ok(Self {
            config,
            tokenizer,
            trainer,
            batches,
            validation,
            plan,
            log: Log::open(out, state.step)?,
            _lock: lock,
            before: state.seconds,
            state,
            out,
            about,
            stop,
            began: Instant::now(),
            saved: None,
        })
    }

    /// What the run is going to do.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where the run is.
    pub(crate) fn state(&self) -> &TrainState {
        &self.state
    }

    /// Trains until there is a reason to stop.
    ///
    /// # Errors
    /// Any [`TrainError`].
    pub(crate) fn train(&mut self, observer: &mut dyn Observer) -> Result<End, TrainError> {
        let (mut step_began, mut tokens) = (Instant::now(), 0);
        while self.state.step < self.state.total_steps {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(End::Stopped);
            }
            let patience = self.state.options.early_stop;
            if patience.is_some_and(|limit| self.state.evaluations_without_gain >= limit) {
                return Ok(End::StoppedEarly);
            }
            let batch = self.batches.next_batch(self.state.micro_batch_size)?;
            let finished = self.trainer.learn(&batch)?;
            tokens += batch.tokens();
            self.note_progress();
            if let Some(finished) = finished {
                let rate = tokens as f64 / step_began.elapsed().as_secs_f64();
                self.finish_step(&finished, rate, observer)?;
                (step_began, tokens) = (Instant::now(), 0);
            }
        }
        Ok(End::Finished)
    }

    /// Writes a checkpoint of where the run is, unless it just did.
    ///
    /// # Errors
    /// [`TrainError::Folder`], [`TrainError::Io`] or [`TrainError::Compute`].
    pub(crate) fn save(&mut self, observer: &mut dyn Observer) -> Result<PathBuf, TrainError> {
        if let Some((seen, path)) = &self.saved
            && *seen == self.state.micro_batches
        {
            return Ok(path.clone());
        }
        self.state.seconds = self.seconds();
        let checkpoint = Checkpoint {
            folder: ModelFolder {
                config: self.config.clone(),
                weights: self.trainer.network().to_weights()?,
                tokenizer: self.tokenizer.clone(),
                card: card(&self.config, &self.state, &self.about),
            },
            state: self.state.clone(),
            optimiser: self.trainer.optimiser().to_weights(),
        };
        let path = checkpoint.write(self.out)?;
        let best = self.state.best.map(|best| best.step);
        prune(self.out, self.state.options.keep, best)?;
        draw_curve(self.out)?;
        self.saved = Some((self.state.micro_batches, path.clone()));
        observer.saved(&path);
        Ok(path)
    }

    fn note_progress(&mut self) {
        self.state.position = self.batches.position();
        self.state.step = self.trainer.optimiser().steps();
        self.state.accumulations = self.trainer.optimiser().accumulations();
        (self.state.micro_batches, self.state.loss_sum) = self.trainer.progress();
    }

    fn finish_step(
        &mut self,
        finished: &Finished,
        tokens_per_second: f64,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let metrics = StepMetrics {
            step: self.state.step,
            epoch: self.epoch(),
            loss: finished.loss,
            learning_rate: finished.step.learning_rate,
            gradient_norm: finished.step.gradient_norm,
            tokens_per_second,
            seconds: self.seconds(),
        };
        self.log.step(&metrics)?;
        observer.stepped(&metrics);

        let epochs_done = self.epoch() as u64;
        let epoch_ended = epochs_done > self.state.epochs_done;
        self.state.epochs_done = epochs_done;
        let due = |every: Option<u64>| match every {
            Some(every) => self.state.step.is_multiple_of(every),
            None => epoch_ended,
        };
        let last = self.state.step == self.state.total_steps;
        let save = due(self.state.options.checkpoint_every);
        let evaluate = last || due(self.state.options.eval_every);
        let better = evaluate && !self.validation.is_empty() && self.evaluate(observer)?;
        if save || better {
            self.save(observer)?;
        }
        Ok(())
    }

    /// Scores the validation windows; whether it is the best result so far.
    fn evaluate(&mut self, observer: &mut dyn Observer) -> Result<bool, TrainError> {
        let rows = self.state.micro_batch_size;
        let mut total = Score::default();
        for score in evaluate(
            self.trainer.network_mut(),
            self.validation.windows(),
            rows,
            |_, _| {},
        )? {
            total.add(&score);
        }
        let share = |count: usize| count as f64 / total.tokens as f64;
        let metrics = EvalMetrics {
            step: self.state.step,
            epoch: self.epoch(),
            validation_loss: total.nats_per_token(),
            accuracy: share(total.correct),
            top5: share(total.top5),
            tokens: total.tokens,
            seconds: self.seconds(),
        };
        self.log.evaluation(&metrics)?;
        observer.evaluated(&metrics);
        let record = self
            .state
            .best
            .map_or(f64::INFINITY, |best| best.validation_loss);
        let better = metrics.validation_loss < record;
        if better {
            self.state.best = Some(Best {
                step: metrics.step,
                validation_loss: metrics.validation_loss,
            });
            self.state.evaluations_without_gain = 0;
        } else {
            self.state.evaluations_without_gain += 1;
        }
        Ok(better)
    }

    fn epoch(&self) -> f64 {
        let Position { epoch, example } = self.state.position;
        epoch as f64 + example as f64 / self.batches.examples() as f64
    }

    fn seconds(&self) -> f64 {
        self.before + self.began.elapsed().as_secs_f64()
    }
}
