//! Options from a file and from the run that is gone on with.

use crate::world::{SMALL, fail, metrics, run, state, world};

#[test]
fn a_file_gives_options_and_the_command_line_goes_before_it() {
    let place = world();
    let toml = "heads = 2\nhead-dim = 4\nnum_layers = 1\nmax_sequence_length = 32\n\
                min_sequence_length = 8\nlearning_rate = 2e-3\nuse_lr_scheduler = true\n\
                augment = false\nsteps = 4\nbatch_size = 2\nout = \"from-file\"\n";
    place.write("options.toml", toml.as_bytes());
    run(
        &place,
        "train --dataset dataset --config options.toml --steps=2 --batch_size 4",
    );
    let options = state(&place, "from-file/step-00000002")["options"].clone();
    assert_eq!(options["steps"], 2);
    assert_eq!(options["batch_size"], 4);
    assert_eq!(options["learning_rate"], 2e-3);
    assert_eq!(options["use_lr_scheduler"], true);
    assert_eq!(options["augment"], false);

    // The seed project's config.json, as it writes it.
    let json = r#"{"seed": 7, "dim": 8, "heads": 2, "num_layers": 1, "vocab_size": 1000,
        "head_dim": 4, "dropout": 0.1, "use_lr_scheduler": true, "learning_rate": 0.0004,
        "end_learning_rate": 1e-06, "warmup_proportion": 0.05, "global_norm": 1.0,
        "weight_decay": 0.1, "batch_size": 4, "subset_proportion": 1.0,
        "val_proportion": 0.1, "max_sequence_length": 32, "min_sequence_length": 8,
        "micro_batch_size": 4, "num_workers": 0, "epochs": 5, "use_bf16": false,
        "wandb": false, "dataset": "dataset"}"#;
    place.write("config.json", json.as_bytes());
    run(&place, "train --config config.json --steps 1 --out seed");
    let options = state(&place, "seed/step-00000001")["options"].clone();
    assert_eq!(
        (&options["seed"], &options["num_workers"]),
        (&7.into(), &1.into())
    );
    let config = place.path("seed/step-00000001/config.json");
    let config = std::fs::read_to_string(config).unwrap();
    assert!(config.contains("\"vocab_size\": 1000"), "{config}");

    for (text, code, words) in [
        ("learningrate = 1", 2, "nearest is learning_rate"),
        ("wandb = true", 2, "not supported"),
        ("steps = [1]", 2, "a list or a table"),
        ("steps = \"many\"", 2, "invalid value 'many' for '--steps"),
        ("steps 1", 1, "cannot read the options in options.toml"),
        ("config = \"other\"", 2, "option config"),
    ] {
        place.write("options.toml", text.as_bytes());
        let train = "train --dataset dataset --config options.toml";
        fail(&place, train, code, &[words]);
    }
    fail(
        &place,
        "train --dataset dataset --config none.toml",
        1,
        &["none.toml"],
    );
}

#[test]
fn a_resumed_run_keeps_its_options() {
    let place = world();
    let options =
        format!("{SMALL} --use-lr-scheduler --learning-rate 3e-3 --batch-size 2 --augment");
    run(
        &place,
        &format!("train --dataset dataset {options} --steps 6 --out whole"),
    );
    run(
        &place,
        &format!(
            "train --dataset dataset {options} --steps 6 --out parts --checkpoint-every 3 --keep 9"
        ),
    );
    // As if it had been killed after step 5.
    for step in [
        "parts/step-00000006",
        "parts/step-00000004",
        "parts/step-00000005",
    ] {
        let _ = std::fs::remove_dir_all(place.path(step));
    }
    run(&place, "train --dataset dataset --resume parts");
    let losses = |run| {
        let lines = metrics(&place, run).into_iter();
        lines
            .filter(|line| line.get("loss").is_some())
            .collect::<Vec<_>>()
    };
    assert_eq!(losses("whole").len(), 6);
    assert_eq!(losses("whole"), losses("parts"));

    run(&place, "train --dataset dataset --resume parts --steps 7");
    assert_eq!(losses("parts").len(), 7);
    for (options, code, words) in [
        ("--seed 3", 1, "--seed 255, not 3"),
        ("--dim 16", 2, "--dim 8, not 16"),
        ("--size tiny", 2, "--dim 8, not 128"),
        ("--dropout 0.5", 2, "--dropout 0.1"),
        (
            "--val-proportion 0.5",
            1,
            "--val-proportion left out, not 0.5",
        ),
    ] {
        let train = format!("train --dataset dataset --resume parts {options}");
        fail(&place, &train, code, &[words]);
    }
}

#[test]
fn validation_pieces_are_those_that_their_notes_pick() {
    let place = world();
    let plan = |options: &str, out: &str| {
        let train = format!("train --dataset dataset {SMALL} --steps 0 --out {out} {options}");
        run(&place, &train);
        let state = state(&place, &format!("{out}/step-00000000"));
        state["pieces"].as_u64().unwrap()
    };
    assert_eq!(plan("--val-proportion 0", "all"), 8);
    let half = plan("--val-proportion 0.5", "half");
    assert!((1..8).contains(&half), "{half}");
    assert_eq!(plan("--val_proportion 0.5 --seed 1", "other-seed"), half);
    let halved = plan("--val-proportion 0 --subset-proportion 0.5", "subset");
    assert_eq!(halved, 4);
    let all = "train --dataset dataset --val-proportion 0.999999 --out x";
    fail(&place, all, 2, &["of 8 pieces", "8 more are held out"]);
    let wrong = "train --dataset dataset --val-proportion 2 --out x";
    fail(&place, wrong, 2, &["--val-proportion is 2"]);
}
