//! Signals, and what a run leaves behind.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::Workplace;
use crate::world::{SMALL, metrics, run, world};

#[test]
fn a_run_leaves_metrics_events_and_a_picture_and_is_quiet() {
    let place = Workplace::new(9);
    place.tokenize();
    let train = format!("train --dataset dataset {SMALL} --batch-size 2 --steps 3 --eval-every 2");
    let out = run(&place, &format!("{train} --out one --val-proportion 0.3"));
    for words in [
        "parameters",
        "to beat",
        "validation loss",
        "saved one",
        "model one",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
    assert!(!out.contains("tokens/s"), "steps are for terminals: {out}");
    assert_eq!(metrics(&place, "one").len(), 5);
    let picture = fs::read(place.path("one/loss.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    let names = fs::read_dir(place.path("one")).unwrap().flatten();
    let names: Vec<_> = names
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let events = names
        .iter()
        .filter(|name| name.starts_with("events.out.tfevents."));
    assert_eq!(events.count(), 1, "{names:?}");

    let out = run(&place, &format!("{train} --out two --verbose"));
    assert_eq!(out.matches("tokens/s").count(), 3, "{out}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_that_can_be_gone_on_with() {
    let place = world();
    let train = format!("train --dataset dataset {SMALL} --batch-size 2 --steps 100000 --out run");
    for signal in ["-TERM", "-INT"] {
        let arguments = match signal {
            "-TERM" => train.clone(),
            _ => "train --dataset dataset --resume run".to_owned(),
        };
        let child = Command::new(env!("CARGO_BIN_EXE_tchaikovsky"))
            .current_dir(place.path("."))
            .args(arguments.split(' '))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = || fs::read_to_string(place.path("run/metrics.jsonl")).unwrap_or_default();
        let before = lines().lines().count();
        while lines().lines().count() < before + 3 {
            sleep(Duration::from_millis(5));
        }
        let kill = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{errors}");
        assert!(errors.contains("go on with: tchaikovsky train"), "{errors}");
    }
    let last = metrics(&place, "run").pop().unwrap()["step"]
        .as_u64()
        .unwrap();
    let out = run(
        &place,
        &format!("train --dataset dataset --resume run --steps {last}"),
    );
    assert!(
        out.contains(&format!("going on after step {last}")),
        "{out}"
    );
}

#[test]
fn a_diverging_run_says_what_to_do_and_keeps_its_checkpoints() {
    let place = world();
    let train = format!("train --dataset dataset {SMALL} --batch-size 2 --steps 9 --out run");
    let diverging = format!("{train} --learning-rate 1e38");
    let outcome = place.run(&diverging.split(' ').collect::<Vec<_>>());
    assert_eq!(outcome.code, Some(1));
    for words in ["--learning-rate", "--resume", "step 2"] {
        assert!(outcome.err.contains(words), "{}", outcome.err);
    }
    let out = run(
        &place,
        "train --dataset dataset --resume run --learning-rate 1e-3",
    );
    assert!(out.contains("model run/step-00000009"), "{out}");
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    let place = world();
    let train = format!("train --dataset dataset {SMALL} --batch-size 2 --steps 2 --out run");
    run(&place, &train);
    // No file may grow beyond 16 blocks of 1,024 bytes, and the signal of that
    // is ignored, so that writing fails as on a full disk.
    let script =
        "ulimit -f 16; trap '' XFSZ; exec \"$0\" train --dataset dataset --resume run --steps 4";
    let output = Command::new("bash")
        .current_dir(place.path("."))
        .args(["-c", script, env!("CARGO_BIN_EXE_tchaikovsky")])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("cannot write") && errors.contains("run/"),
        "{errors}"
    );
    let left = fs::read_dir(place.path("run")).unwrap().flatten();
    let unfinished = left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(unfinished.count(), 0);
    let out = run(&place, "train --dataset dataset --resume run --steps 4");
    assert!(out.contains("going on after step 2"), "{out}");
}
