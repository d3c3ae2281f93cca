//! Threads that own engines and do the jobs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use generate::Decoder;

use super::events::Message;
use super::job;
use super::queue::{Job, Queue};
use crate::error::StudioError;
use crate::limits::Limits;
use crate::models::Model;
use crate::problem::Problem;

type Engines = Vec<Option<Box<dyn Decoder>>>;

/// Starts the workers, and waits until all models are loaded. Without models
/// there is nothing to start.
///
/// # Errors
/// [`StudioError::Engine`] for a model that cannot play, [`StudioError::Thread`].
pub(crate) fn start(
    models: &Arc<Vec<Model>>,
    queue: &Queue,
    limits: Limits,
) -> Result<(), StudioError> {
    if models.is_empty() {
        return Ok(());
    }
    let (ready, opened) = channel();
    for number in 0..limits.generations.max(1) {
        let (models, queue, ready) = (Arc::clone(models), queue.clone(), ready.clone());
        thread::Builder::new()
            .name(format!("generation-{number}"))
            .spawn(move || work(&models, &queue, &limits, &ready))
            .map_err(|error| StudioError::Thread(error.to_string()))?;
    }
    for _ in 0..limits.generations.max(1) {
        let lost = |_| StudioError::Thread("it ended".to_owned());
        opened.recv().map_err(lost)??;
    }
    Ok(())
}

fn open(model: &Model, limits: &Limits) -> Result<Box<dyn Decoder>, StudioError> {
    let opened = model.open(limits.variations);
    opened.map_err(|reason| StudioError::Engine {
        model: model.name().to_owned(),
        reason,
    })
}

fn work(models: &[Model], queue: &Queue, limits: &Limits, ready: &Sender<Result<(), StudioError>>) {
    let all = models.iter().map(|model| open(model, limits).map(Some));
    let (mut engines, told): (Engines, _) = match all.collect() {
        Ok(engines) => (engines, ready.send(Ok(()))),
        Err(error) => (Vec::new(), ready.send(Err(error))),
    };
    if told.is_err() || engines.is_empty() {
        return;
    }
    while let Some(job) = queue.next() {
        if !job.is_stopped() {
            serve(&job, models, &mut engines, limits);
        }
        queue.done();
    }
}

/// Does a job and tells its error. An engine that panicked is thrown away, and
/// made anew when it is needed.
fn serve(job: &Job, models: &[Model], engines: &mut Engines, limits: &Limits) {
    let number = job.request.model;
    let (Some(model), Some(place)) = (models.get(number), engines.get_mut(number)) else {
        return;
    };
    let engine = place.take().map_or_else(|| open(model, limits), Ok);
    let done = engine.map_err(|error| Problem::internal(error.to_string()));
    let done = done.and_then(|mut engine| {
        let run = || job::run(job, model, engine.as_mut(), limits);
        let run = catch_unwind(AssertUnwindSafe(run));
        let Ok(done) = run else {
            return Err(Problem::internal("the model stopped by a fault of its own"));
        };
        *place = Some(engine);
        done
    });
    if let Err(problem) = done {
        job.tell(Message::Error(problem.body()));
    }
}
