//! A small team of threads for work in many short phases.
//!
//! A decoding step is some forty phases of 10 to 100 microseconds, each of which
//! needs the results of the one before. Waking a sleeping thread takes as long
//! as a phase, so workers spin between phases, then give way, and sleep only
//! when nothing came for some milliseconds.
//!
//! A phase is a number of tasks, of which each thread, the caller among them,
//! gets a run. Threads that have finished theirs take from the ends of the others':
//! a worker that the system has taken off its core holds up nothing but the task
//! it had begun. Which thread runs a task must not influence its result.
//!
//! What one thread writes and another reads costs as much as a small task where
//! cores share no cache. So each thread has a place of its own to take tasks from,
//! and tells that they are finished once for its whole run.

use crate::isa::Isa;
use crate::memory::Pool;
use crate::shared::SharedMut;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

type Task = dyn Fn(usize, usize) + Sync;

/// Spins before a waiting thread begins to give way to others.
const SPINS: u32 = 4_000;
/// How long a worker without work stays awake.
const AWAKE: Duration = Duration::from_millis(5);

/// Something on cache lines of its own (processors fetch them in pairs).
#[repr(align(128))]
struct Apart<T>(T);

/// What one thread is to run.
#[derive(Default)]
struct Run {
    /// Its first task in the high half, where its tasks end in the low half.
    tasks: AtomicU64,
    /// What to run; written only while no task is taken.
    task: UnsafeCell<Option<&'static Task>>,
}

// SAFETY: `task` is written only by the caller of `Team::run`, before any run of
// the phase is offered and after all tasks of the phase before were told to be
// finished; it is read only by a thread that has taken a task and not told that
// it is finished. The other field is atomic.
unsafe impl Sync for Run {}

impl Run {
    fn is_empty(&self) -> bool {
        let tasks = self.tasks.load(Ordering::SeqCst);
        tasks >> 32 >= tasks & 0xffff_ffff
    }

    /// Takes the first task, or the last.
    fn take(&self, first: bool) -> Option<usize> {
        let mut tasks = self.tasks.load(Ordering::Acquire);
        loop {
            let (next, end) = (tasks >> 32, tasks & 0xffff_ffff);
            if next >= end {
                return None;
            }
            let (left, taken) = match first {
                true => (tasks + (1 << 32), next),
                false => (tasks - 1, end - 1),
            };
            let order = (Ordering::AcqRel, Ordering::Acquire);
            match self
                .tasks
                .compare_exchange_weak(tasks, left, order.0, order.1)
            {
                Ok(_) => return Some(taken as usize),
                Err(now) => tasks = now,
            }
        }
    }
}

struct Phase {
    /// One a thread.
    runs: Vec<Apart<Run>>,
    /// Tasks finished.
    done: Apart<AtomicUsize>,
    panicked: AtomicBool,
    stop: AtomicBool,
    asleep: AtomicUsize,
}

impl Phase {
    /// Runs the tasks of the thread's own run, then those that others have left.
    fn work(&self, thread: usize) {
        let (before, from) = self.runs.split_at(thread);
        let own = &from[0].0;
        for (index, Apart(run)) in from.iter().chain(before).enumerate() {
            let mut count = 0;
            while let Some(index) = run.take(index == 0) {
                // SAFETY: this thread has taken a task and not told that it is
                // finished, so the task is set and the caller of `run` waits.
                let task = unsafe { *own.task.get() };
                let call = || {
                    if let Some(task) = task {
                        task(thread, index);
                    }
                };
                if catch_unwind(AssertUnwindSafe(call)).is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
                count += 1;
            }
            if count > 0 {
                self.done.0.fetch_add(count, Ordering::Release);
            }
        }
    }

    /// A worker's life: work, wait, sleep, stop.
    fn serve(&self, thread: usize) {
        let own = &self.runs[thread].0;
        while !self.stop.load(Ordering::Relaxed) {
            self.work(thread);
            if !wait(|| !own.is_empty() || self.stop.load(Ordering::Relaxed)) {
                self.asleep.fetch_add(1, Ordering::SeqCst);
                if own.is_empty() && !self.stop.load(Ordering::SeqCst) {
                    std::thread::park();
                }
                self.asleep.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
}

/// Spins, then gives way, until `ready` or until it has been too long.
fn wait(ready: impl Fn() -> bool) -> bool {
    for _ in 0..SPINS {
        if ready() {
            return true;
        }
        std::hint::spin_loop();
    }
    let start = Instant::now();
    while !ready() {
        if start.elapsed() > AWAKE {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

/// Which of so many tasks a thread is offered.
fn share(tasks: usize, threads: usize, thread: usize) -> Range<usize> {
    let (each, more) = (tasks / threads, tasks % threads);
    let start = |thread: usize| thread * each + more.min(thread);
    start(thread)..start(thread + 1)
}

/// Tasks of a phase, numbered.
pub trait Tasks: Sync {
    /// How many.
    fn count(&self) -> usize;
    /// Runs one. `thread` is as in [`Team::run`].
    fn run(&self, thread: usize, index: usize);
}

/// The caller and its workers. Dropping it joins them.
pub struct Team {
    isa: Isa,
    phase: Arc<Phase>,
    workers: Vec<JoinHandle<()>>,
    pool: Pool,
}

impl Team {
    /// A team of `threads`, the caller counted, with the fastest instruction set
    /// here; 0 threads mean one a core. Where the system refuses to start a
    /// thread, the team is smaller.
    pub fn new(threads: usize) -> Self {
        Self::with_isa(threads, Isa::detect())
    }

    /// A team that uses `isa`.
    pub fn with_isa(threads: usize, isa: Isa) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores() } else { threads };
        let phase = Arc::new(Phase {
            runs: (0..threads).map(|_| Apart(Run::default())).collect(),
            done: Apart(AtomicUsize::new(0)),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            asleep: AtomicUsize::new(0),
        });
        let spawn = |thread: usize| {
            let phase = Arc::clone(&phase);
            let name = format!("kernels-{thread}");
            let builder = std::thread::Builder::new().name(name);
            builder.spawn(move || phase.serve(thread)).ok()
        };
        let workers = (1..threads).map_while(spawn).collect();
        Self {
            isa,
            phase,
            workers,
            pool: Pool::default(),
        }
    }

    /// The instruction set of its kernels.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How many threads work, the caller counted.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Memory for what its kernels read.
    pub fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }

    /// Runs `task(thread, index)` for each index in `0..tasks` and returns when
    /// all have returned. `thread` is in `0..threads()`, and no two tasks that
    /// run at the same time have the same.
    ///
    /// Panics when a task panicked, after the others are done, and for more
    /// than 2^32 - 1 tasks.
    pub fn run(&mut self, tasks: usize, task: &(dyn Fn(usize, usize) + Sync)) {
        assert!(tasks < u32::MAX as usize, "too many tasks");
        if tasks == 0 {
            return;
        }
        let phase = &*self.phase;
        // SAFETY: only the lifetime is stretched. No thread uses the reference
        // after it has finished its task, and this function returns only when
        // all tasks are finished, also when one panics.
        let task =
            unsafe { std::mem::transmute::<&(dyn Fn(usize, usize) + Sync), &'static Task>(task) };
        for Apart(run) in &phase.runs {
            // SAFETY: all tasks of the phase before are finished (see `Run`).
            unsafe { *run.task.get() = Some(task) };
        }
        phase.done.0.store(0, Ordering::Relaxed);
        // The caller's own last: the others begin while it still offers.
        for (thread, Apart(run)) in phase.runs[..self.threads()].iter().enumerate().rev() {
            let own = share(tasks, self.threads(), thread);
            let own = (own.start as u64) << 32 | own.end as u64;
            run.tasks.store(own, Ordering::SeqCst);
        }
        if tasks > 1 && phase.asleep.load(Ordering::SeqCst) > 0 {
            for worker in &self.workers {
                worker.thread().unpark();
            }
        }
        phase.work(0);
        while !wait(|| phase.done.0.load(Ordering::Acquire) == tasks) {}
        if phase.panicked.swap(false, Ordering::Relaxed) {
            panic!("a task of the team panicked");
        }
    }

    /// Runs all tasks of all `parts`, which must not need one another's results, in one
    /// phase. Each thread begins with its share of the first part: the larger tasks
    /// should be there, so that the threads end at about the same time.
    ///
    /// Panics as [`run`](Self::run) does.
    pub fn run_all(&mut self, parts: &[&dyn Tasks]) {
        let threads = self.threads();
        let count = parts.iter().map(|part| part.count()).sum();
        self.run(count, &|thread, mut index| {
            for owner in 0..threads {
                for part in parts {
                    let own = share(part.count(), threads, owner);
                    if index < own.len() {
                        return part.run(thread, own.start + index);
                    }
                    index -= own.len();
                }
            }
        });
    }

    /// Runs `task(index, item)` for each item.
    ///
    /// Panics when a task panicked, after the others are done.
    pub fn for_each<T: Send>(&mut self, items: &mut [T], task: impl Fn(usize, &mut T) + Sync) {
        let count = items.len();
        let items = SharedMut::new(items);
        self.run(count, &|_, index| {
            // SAFETY: one task an item.
            let item = unsafe { items.part(index, 1) };
            task(index, &mut item[0]);
        });
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.phase.stop.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker's panic was caught and raised in `run`.
            let _ = worker.join();
        }
    }
}
