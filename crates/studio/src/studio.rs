//! What all requests share, and which request goes where.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::StudioError;
use crate::generate::{self, Queue};
use crate::guard;
use crate::limits::Limits;
use crate::models::{self, Model};
use crate::problem::Problem;
use crate::{examples, openapi, page, piano, render, score};

/// The server without its network: models, limits and work that goes on.
#[derive(Clone)]
pub struct Studio {
    shared: Arc<Shared>,
}

struct Shared {
    models: Arc<Vec<Model>>,
    limits: Limits,
    names: Vec<String>,
    queue: Queue,
    renderings: Arc<Semaphore>,
    sounds: Arc<Semaphore>,
    pianos: Arc<Semaphore>,
}

impl Studio {
    /// Loads the models and starts the threads that generate. `names` are host
    /// names, beside IP addresses and localhost, under which requests may come.
    ///
    /// # Errors
    /// [`StudioError::SameName`], [`StudioError::Engine`] where a model cannot be
    /// loaded, [`StudioError::Thread`].
    pub fn start(
        models: Vec<Model>,
        names: Vec<String>,
        limits: Limits,
    ) -> Result<Self, StudioError> {
        for (index, model) in models.iter().enumerate() {
            let same = |other: &Model| other.name() == model.name();
            if models[..index].iter().any(same) {
                return Err(StudioError::SameName(model.name().to_owned()));
            }
        }
        let (models, queue) = (Arc::new(models), Queue::new(limits.waiting));
        generate::start(&models, &queue, limits)?;
        Ok(Self {
            shared: Arc::new(Shared {
                models,
                names,
                queue,
                renderings: Arc::new(Semaphore::new(limits.renderings)),
                sounds: Arc::new(Semaphore::new(limits.sounds)),
                pianos: Arc::new(Semaphore::new(limits.pianos)),
                limits,
            }),
        })
    }

    /// All that is served.
    pub fn router(&self) -> Router {
        let api = Router::new()
            .route("/models", get(models::get))
            .route("/examples", get(examples::list))
            .route("/examples/{name}", get(examples::get))
            .route("/score", post(score::post))
            .route("/render", post(render::post))
            .route("/generate", post(generate::post))
            .route("/generate/{id}/stop", post(generate::stop))
            .route("/piano", get(piano::get))
            .route("/openapi.json", get(openapi::get));
        Router::new()
            .nest("/api", api)
            .route("/", get(page::index))
            .route("/page/{file}", get(page::file))
            .fallback(async || Problem::unknown("there is nothing here"))
            .method_not_allowed_fallback(async || {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                Problem::new(status, "wrong_method", "this place takes another method")
            })
            .layer(middleware::from_fn_with_state(self.clone(), guard::guard))
            .with_state(self.clone())
    }

    /// Stops all generations, and takes no more.
    pub fn close(&self) {
        self.shared.queue.close();
    }

    pub(crate) fn models(&self) -> &[Model] {
        &self.shared.models
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.shared.names
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    pub(crate) fn pianos(&self) -> &Arc<Semaphore> {
        &self.shared.pianos
    }

    pub(crate) fn sounds(&self) -> &Arc<Semaphore> {
        &self.shared.sounds
    }

    /// Does heavy work in a thread of its own, after that of others.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let semaphore = Arc::clone(&self.shared.renderings);
        let permit = semaphore.acquire_owned().await;
        let permit = permit.map_err(|_| Problem::busy("the server is stopping"))?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        let fault = |_| Problem::internal("the work stopped by a fault of its own");
        done.await.map_err(fault)?
    }
}
