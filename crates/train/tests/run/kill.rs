//! A run that is killed at any moment goes on as if it had not been.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use train::{TrainOptions, checkpoint};

use crate::support::{assert_same_end, fresh, options, pieces, resume, train_with};

const FOLDER: &str = "TRAIN_TEST_FOLDER";
const KILLS: usize = 20;

fn train_to_the_end(out: &Path) {
    let options = TrainOptions {
        steps: Some(40),
        checkpoint_every: Some(2),
        eval_every: Some(5),
        ..options()
    };
    let start = match checkpoint::list(out).is_empty() {
        true => fresh(),
        false => resume(out),
    };
    let never = AtomicBool::new(false);
    train_with(out, start, options, &pieces(7), &never, 999).unwrap();
}

#[test]
#[ignore = "the process that is killed"]
fn victim() {
    if let Some(out) = std::env::var_os(FOLDER).map(PathBuf::from) {
        train_to_the_end(&out);
    }
}

#[test]
fn a_run_killed_twenty_times_is_the_uninterrupted_one() {
    let place = tempfile::tempdir().unwrap();
    let (whole, killed) = (place.path().join("whole"), place.path().join("killed"));
    train_to_the_end(&whole);

    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let mut seen = vec![0];
    let newest = || {
        checkpoint::list(&killed)
            .last()
            .map_or(0, |(step, _)| *step)
    };
    for kill in 0..KILLS {
        let before = newest();
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::victim", "--ignored"])
            .env(FOLDER, &killed)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Every other kill comes at any moment, the rest soon after progress.
        while kill % 2 == 0 && newest() == before && victim.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(rng.random_range(0..20)));
        victim.kill().unwrap();
        victim.wait().unwrap();
        seen.push(newest());
    }
    assert!(seen.windows(2).all(|pair| pair[0] <= pair[1]), "{seen:?}");
    seen.dedup();
    assert!(seen.len() > 5, "kills have to hit a running run: {seen:?}");
    train_to_the_end(&killed);
    assert_same_end(&whole, &killed);
}
