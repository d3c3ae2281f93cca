//! The team: every task once, panics raised, nothing left running.

use kernels::{Tasks, Team};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn runs_every_task_once_phase_after_phase() {
    for threads in [1, 2, 5] {
        let mut team = Team::new(threads);
        assert_eq!(team.threads(), threads);
        for tasks in [0, 1, 2, 7, 100].repeat(200) {
            let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
            let busy: Vec<AtomicBool> = (0..threads).map(|_| AtomicBool::new(false)).collect();
            team.run(tasks, &|thread, task| {
                assert!(
                    !busy[thread].swap(true, Ordering::SeqCst),
                    "one task a thread"
                );
                counts[task].fetch_add(1, Ordering::SeqCst);
                busy[thread].store(false, Ordering::SeqCst);
            });
            assert!(counts.iter().all(|count| count.load(Ordering::SeqCst) == 1));
        }
    }
}

/// Counts how often each task has run.
struct Counts(Vec<AtomicUsize>);

impl Tasks for Counts {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn run(&self, _: usize, index: usize) {
        self.0[index].fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn runs_every_task_of_every_part_once() {
    for threads in [1, 2, 5] {
        let mut team = Team::new(threads);
        for counts in [[0, 0, 0], [0, 1, 0], [8, 3, 1], [2, 100, 7], [5, 5, 5]] {
            let parts = counts.map(|count| Counts((0..count).map(|_| 0.into()).collect()));
            let all = parts.each_ref().map(|part| part as &dyn Tasks);
            team.run_all(&all);
            for Counts(part) in &parts {
                assert!(part.iter().all(|count| count.load(Ordering::SeqCst) == 1));
            }
        }
    }
}

#[test]
fn begins_with_the_first_part_in_every_thread() {
    /// Notes which part a thread begins with, and goes on once all have begun.
    struct First<'a>(usize, &'a [AtomicUsize]);
    impl Tasks for First<'_> {
        fn count(&self) -> usize {
            4
        }
        fn run(&self, thread: usize, _: usize) {
            let first = &self.1[thread];
            let _ = first.compare_exchange(0, self.0, Ordering::SeqCst, Ordering::SeqCst);
            while self.1.iter().any(|first| first.load(Ordering::SeqCst) == 0) {
                std::thread::yield_now();
            }
        }
    }
    let mut team = Team::new(2);
    for _ in 0..20 {
        let firsts = [AtomicUsize::new(0), AtomicUsize::new(0)];
        team.run_all(&[&First(1, &firsts), &First(2, &firsts)]);
        assert_eq!(firsts.map(AtomicUsize::into_inner), [1, 1]);
    }
}

#[test]
fn wakes_after_a_pause() {
    let mut team = Team::new(2);
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(30));
        let helped = AtomicBool::new(false);
        // The caller's task lasts until the worker has taken the other one.
        team.run(2, &|thread, _| {
            if thread == 1 {
                helped.store(true, Ordering::SeqCst);
            }
            while !helped.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        });
    }
}

#[test]
fn raises_the_panic_of_a_task_after_the_others_and_works_on() {
    let mut team = Team::new(2);
    let finished = AtomicUsize::new(0);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        team.run(50, &|_, task| {
            assert!(task != 20, "this task fails");
            finished.fetch_add(1, Ordering::SeqCst);
        });
    }));
    assert!(outcome.is_err());
    assert_eq!(finished.load(Ordering::SeqCst), 49);
    team.run(50, &|_, _| {
        finished.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!(finished.load(Ordering::SeqCst), 99);
}

#[test]
fn gives_each_task_its_item() {
    let mut team = Team::new(3);
    let mut items: Vec<usize> = vec![5; 40];
    team.for_each(&mut items, |index, item| *item += index);
    assert_eq!(items, (5..45).collect::<Vec<_>>());
}
