//! Who is served when.
//!
//! Workers take jobs in the order in which they came. A job ends with its
//! client: the client's [`Ticket`] takes it out of the queue, or stops it, when
//! it is dropped. Messages wait for slow clients without end, so that none can
//! hold up a worker; limits of notes bound them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use axum::response::sse;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::events::Message;
use super::request::Request;
use crate::problem::Problem;
use crate::random;

/// Jobs that wait, and those that are worked on.
#[derive(Clone)]
pub(crate) struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    most_waiting: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Id and stop of every job there is.
    all: Vec<(String, Arc<AtomicBool>)>,
    /// How many are worked on.
    busy: usize,
    closed: bool,
}

/// What a worker does.
pub(super) struct Job {
    pub id: String,
    pub request: Request,
    messages: UnboundedSender<Message>,
    stop: Arc<AtomicBool>,
}

impl Job {
    /// Tells the client something.
    pub(super) fn tell(&self, message: Message) {
        if self.messages.send(message).is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the client has left or wants no more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.messages.is_closed()
    }
}

/// A client's side of a job.
pub(crate) struct Ticket {
    id: String,
    messages: UnboundedReceiver<Message>,
    queue: Queue,
}

impl Ticket {
    /// The next event; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<sse::Event> {
        self.messages.recv().await.map(Message::into_event)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queue.leave(&self.id);
    }
}

impl Queue {
    /// An empty queue in which so many may wait.
    pub(crate) fn new(most_waiting: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::default()),
                work: Condvar::new(),
                most_waiting,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request at the end.
    pub(super) fn submit(&self, request: Request) -> Result<Ticket, Problem> {
        let mut state = self.state();
        if state.closed {
            return Err(Problem::busy("the server is stopping"));
        }
        if state.waiting.len() >= self.shared.most_waiting {
            let waiting = state.waiting.len();
            return Err(Problem::busy(format!(
                "{waiting} generations are waiting already; try again in a while"
            )));
        }
        let id = random::name();
        let (sender, messages) = unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        state.all.push((id.clone(), Arc::clone(&stop)));
        state.waiting.push_back(Job {
            id: id.clone(),
            request,
            messages: sender,
            stop,
        });
        state.tell_places();
        self.shared.work.notify_one();
        Ok(Ticket {
            id,
            messages,
            queue: self.clone(),
        })
    }

    /// The next job; waits for one. `None` when the queue is closed.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.waiting.pop_front() {
                state.busy += 1;
                state.tell_places();
                return Some(job);
            }
            let waited = self.shared.work.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A worker is through with a job.
    pub(super) fn done(&self) {
        let mut state = self.state();
        state.busy = state.busy.saturating_sub(1);
    }

    /// Lets a job end where it is; whether there is one of that id.
    pub(super) fn stop(&self, id: &str) -> bool {
        let state = self.state();
        let found = state.all.iter().find(|(of, _)| of == id);
        found.is_some_and(|(_, stop)| {
            stop.store(true, Ordering::Relaxed);
            true
        })
    }

    /// The client has left.
    fn leave(&self, id: &str) {
        let mut state = self.state();
        if let Some(at) = state.all.iter().position(|(of, _)| of == id) {
            let (_, stop) = state.all.swap_remove(at);
            stop.store(true, Ordering::Relaxed);
        }
        let before = state.waiting.len();
        state.waiting.retain(|job| job.id != id);
        if state.waiting.len() < before {
            state.tell_places();
        }
    }

    /// Stops all jobs and sends the workers home.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.waiting.clear();
        for (_, stop) in &state.all {
            stop.store(true, Ordering::Relaxed);
        }
        self.shared.work.notify_all();
    }
}

impl State {
    fn tell_places(&self) {
        for (index, job) in self.waiting.iter().enumerate() {
            job.tell(Message::Queued {
                id: job.id.clone(),
                place: self.busy + index,
            });
        }
    }
}
