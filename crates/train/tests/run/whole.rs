//! Runs in this process.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{ModelConfig, ModelFolder};
use train::lock::LOCK_FILE;
use train::log::METRICS_FILE;
use train::{About, Checkpoint, End, Run, Start, TrainError, TrainOptions, checkpoint, run};

use crate::support::{assert_same_end, config, device, fresh, options, pieces, resume, train_with};

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    let place = tempfile::tempdir().unwrap();
    let whole = place.path().join("whole");
    let never = AtomicBool::new(false);
    let (outcome, seen) = train_with(&whole, fresh(), options(), &pieces(7), &never, 99).unwrap();
    assert_eq!((outcome.end, outcome.steps), (End::Finished, 8));
    assert_eq!(seen.evaluations.len(), 3);
    assert!(
        seen.steps.last().unwrap().epoch > 1.5,
        "the run has to cross epochs"
    );

    let parts = place.path().join("parts");
    let mut start = fresh();
    for after in [2, 3, 5, 99] {
        let stop = AtomicBool::new(false);
        let (outcome, _) = train_with(&parts, start, options(), &pieces(7), &stop, after).unwrap();
        assert_eq!(outcome.end == End::Finished, after == 99);
        start = resume(&parts);
    }
    assert_same_end(&whole, &parts);
}

#[test]
fn a_run_stopped_in_an_accumulation_goes_on_bit_for_bit() {
    let place = tempfile::tempdir().unwrap();
    let (whole, parts) = (place.path().join("whole"), place.path().join("parts"));
    let never = AtomicBool::new(false);
    train_with(&whole, fresh(), options(), &pieces(7), &never, 99).unwrap();

    // The pieces set the flag while the second epoch is loaded, in the middle
    // of a step.
    struct Pulling<'a>(Vec<Vec<u32>>, &'a AtomicBool);
    impl train::Pieces for Pulling<'_> {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn ids(&self, index: usize, epoch: u64) -> Vec<u32> {
            self.1.fetch_or(epoch == 1, Ordering::Relaxed);
            self.0[index].clone()
        }
    }
    let stop = AtomicBool::new(false);
    let outcome = run(
        Run {
            options: options(),
            start: fresh(),
            train: &Pulling(pieces(7), &stop),
            valid: &pieces(9)[7..].to_vec(),
            out: &parts,
            device: device(),
            about: About::default(),
            stop: &stop,
        },
        &mut (),
    );
    assert_eq!(outcome.unwrap().end, End::Stopped);
    let state = Checkpoint::read(&parts).unwrap().state;
    assert_eq!(
        state.accumulations, 1,
        "stopped between the micro batches of a step"
    );
    train_with(&parts, resume(&parts), options(), &pieces(7), &never, 99).unwrap();
    assert_same_end(&whole, &parts);
}

#[test]
fn a_killed_run_s_later_metrics_are_dropped_on_resume() {
    let place = tempfile::tempdir().unwrap();
    let (whole, killed) = (place.path().join("whole"), place.path().join("killed"));
    let never = AtomicBool::new(false);
    train_with(&whole, fresh(), options(), &pieces(7), &never, 99).unwrap();
    train_with(&killed, fresh(), options(), &pieces(7), &never, 99).unwrap();
    for (step, path) in checkpoint::list(&killed) {
        if step > 3 {
            fs::remove_dir_all(path).unwrap();
        }
    }
    fs::create_dir(killed.join(".unfinished-x")).unwrap();
    train_with(&killed, resume(&killed), options(), &pieces(7), &never, 99).unwrap();
    assert_same_end(&whole, &killed);
    assert!(!killed.join(".unfinished-x").exists());
}

#[test]
fn a_handful_of_pieces_is_learned_by_heart() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let options = TrainOptions {
        steps: Some(300),
        learning_rate: 1e-2,
        eval_every: Some(150),
        ..options()
    };
    let never = AtomicBool::new(false);
    let plain = ModelConfig {
        dropout: 0.0,
        ..config()
    };
    let handful: Vec<_> = pieces(3).iter().map(|ids| ids[..20].to_vec()).collect();
    let start = Start::Fresh(plain, b"{}".to_vec());
    let (_, seen) = train_with(&out, start, options, &handful, &never, 999).unwrap();
    let losses: Vec<_> = seen.steps.iter().map(|step| step.loss).collect();
    assert!(losses[0] > 3.0, "{}", losses[0]);
    // Which of the pieces it is has to be guessed once: ln(3) on 21 labels.
    let end = losses[290..].iter().sum::<f64>() / 10.0;
    assert!(end < 0.07, "{end}");
    let baseline = seen.plan.unwrap().baseline.unwrap();
    assert!(baseline.unigram > 1.0 && baseline.bigram > 1.0);
}

#[test]
fn the_newest_and_the_best_checkpoints_are_kept() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let options = TrainOptions {
        keep: 2,
        checkpoint_every: Some(1),
        ..options()
    };
    let never = AtomicBool::new(false);
    let (outcome, _) = train_with(&out, fresh(), options, &pieces(7), &never, 99).unwrap();
    let best = outcome.best.unwrap();
    let steps: Vec<_> = checkpoint::list(&out)
        .into_iter()
        .map(|(step, _)| step)
        .collect();
    let mut expected = vec![best.step, 7, 8];
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(steps, expected);
    let model = checkpoint::resolve(&out).unwrap();
    assert!(model.ends_with(format!("step-{:08}", best.step)));
    let card = ModelFolder::read(&model).unwrap().card;
    assert!(card.contains("nats per token"), "{card}");
    assert_eq!(checkpoint::resolve(&model).unwrap(), model);
}

#[test]
fn pruning_spares_an_old_best_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    for name in [
        "step-00000001",
        "step-00000002",
        "step-00000010",
        "step-00000010.3",
    ] {
        fs::create_dir(place.path().join(name)).unwrap();
    }
    checkpoint::prune(place.path(), 2, Some(1)).unwrap();
    let steps: Vec<_> = checkpoint::list(place.path())
        .into_iter()
        .map(|(step, _)| step)
        .collect();
    assert_eq!(steps, [1, 10, 10]);
}

#[test]
fn no_steps_write_the_initial_model_and_stop() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let options = TrainOptions {
        steps: Some(0),
        ..options()
    };
    let never = AtomicBool::new(false);
    let (outcome, seen) = train_with(&out, fresh(), options, &pieces(7), &never, 99).unwrap();
    assert!(seen.steps.is_empty());
    let weights = ModelFolder::read(&outcome.checkpoint).unwrap().weights;
    assert!(
        weights
            .iter()
            .eq(model::Weights::initial(&config(), 255).iter())
    );
}

#[test]
fn runs_that_cannot_be_have_their_error_and_leave_nothing() {
    let place = tempfile::tempdir().unwrap();
    let never = AtomicBool::new(false);
    let attempt = |options: TrainOptions, pieces: &[Vec<u32>]| {
        let out = place.path().join("wrong");
        let error = train_with(&out, fresh(), options, pieces, &never, 99).err();
        assert!(!out.exists() || error.is_none());
        error.unwrap()
    };
    let error = attempt(
        TrainOptions {
            min_sequence_length: 99,
            ..options()
        },
        &pieces(2),
    );
    assert!(matches!(
        error,
        TrainError::NoExamples {
            pieces: 2,
            longest: 52,
            ..
        }
    ));
    let error = attempt(
        TrainOptions {
            micro_batch_size: Some(3),
            ..options()
        },
        &pieces(2),
    );
    assert!(error.to_string().contains("divide --batch-size 4"));
    let error = attempt(
        TrainOptions {
            learning_rate: f64::NAN,
            ..options()
        },
        &pieces(2),
    );
    assert!(error.to_string().contains("--learning-rate is NaN"));

    let out = place.path().join("run");
    let unknown = vec![vec![40; 50]];
    let error = train_with(&out, fresh(), options(), &unknown, &never, 99).err();
    assert!(matches!(
        error,
        Some(TrainError::UnknownId {
            id: 40,
            vocab_size: 40
        })
    ));
    let wild = TrainOptions {
        learning_rate: 1e38,
        use_lr_scheduler: false,
        ..options()
    };
    let error = train_with(&out, fresh(), options(), &pieces(7), &never, 99).err();
    assert!(matches!(error, Some(TrainError::OutTaken(_))), "{error:?}");
    let out = place.path().join("wild");
    let error = train_with(&out, fresh(), wild, &pieces(7), &never, 99).err();
    assert!(
        matches!(error, Some(TrainError::NotFinite { .. })),
        "{error:?}"
    );

    let out = place.path().join("other");
    train_with(&out, fresh(), options(), &pieces(7), &never, 99).unwrap();
    let other = TrainOptions {
        seed: 1,
        ..options()
    };
    let error = train_with(&out, resume(&out), other, &pieces(7), &never, 99).err();
    assert!(error.unwrap().to_string().contains("--seed 255, not 1"));
    let error = train_with(&out, resume(&out), options(), &pieces(6), &never, 99).err();
    assert!(matches!(error, Some(TrainError::OtherRun { .. })));
    let error = Checkpoint::read(&place.path().join("none")).err();
    assert!(matches!(error, Some(TrainError::NoCheckpoint(_))));
}

#[test]
fn one_process_a_run() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let never = AtomicBool::new(false);
    let stop = AtomicBool::new(false);
    train_with(&out, fresh(), options(), &pieces(7), &stop, 2).unwrap();
    // Locks belong to open files, so one of this process stands for another's.
    let other = fs::File::open(out.join(LOCK_FILE)).unwrap();
    other.lock().unwrap();
    let before = fs::read(out.join(METRICS_FILE)).unwrap();
    let error = train_with(&out, resume(&out), options(), &pieces(7), &never, 99).err();
    assert!(
        matches!(error, Some(TrainError::InUse(ref path)) if *path == out),
        "{error:?}"
    );
    assert_eq!(fs::read(out.join(METRICS_FILE)).unwrap(), before);
    drop(other);
    train_with(&out, resume(&out), options(), &pieces(7), &never, 99).unwrap();
}
