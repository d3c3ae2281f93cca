//! The figures of `evaluate`, by hand.

use std::fs;

use model::Weights;
use model::folder::{WEIGHTS_FILE, sha256};
use serde_json::Value;

use crate::world::{SMALL, fail, run, world};

/// Sets the head of the fresh model in `run` so that its logits are `bias`
/// whatever it sees.
fn constant_model(place: &crate::support::Workplace, bias: impl Fn(usize) -> f32) -> usize {
    let train = format!("train --dataset dataset {SMALL} --steps 0 --out run");
    run(place, &train);
    let file = place.path("run/step-00000000").join(WEIGHTS_FILE);
    let mut weights = Weights::read(&file).unwrap();
    let hash = weights.metadata("tokenizer_sha256").unwrap().to_owned();
    let mut head = weights.take("out_head.weight").unwrap();
    head.values.fill(0.0);
    let vocabulary = head.shape[0];
    weights.insert("out_head.weight".to_owned(), head.shape, head.values);
    let biases = (0..vocabulary).map(bias).collect();
    weights.insert("out_head.bias".to_owned(), vec![vocabulary], biases);
    let bytes = weights.to_bytes(&[("tokenizer_sha256", &hash)]).unwrap();
    fs::write(file, bytes).unwrap();
    vocabulary
}

fn close(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap();
    assert!(
        (value - expected).abs() < 1e-5 * expected.abs().max(1.0),
        "{value} {expected}"
    );
}

#[test]
fn sums_counts_and_shares_of_ids_are_those_by_hand() {
    let place = world();
    // Id 9 is twice as likely as each other, ids 4 to 7 a little above the rest.
    let vocabulary = constant_model(&place, |id| match id {
        9 => 2f32.ln(),
        4..=7 => 1e-3,
        _ => 0.0,
    });
    let lines = "{\"ids\": [1, 9, 9, 5]}\n\n{\"ids\": [9]}\n{\"ids\": [1, 0, 200, 0, 0]}\n";
    place.write("lines.jsonl", lines.as_bytes());
    let report = run(&place, "evaluate --model run --ids lines.jsonl --json");
    let report: Value = serde_json::from_str(&report).unwrap();
    let sum = (vocabulary as f64 - 5.0) + 4.0 * 1e-3f64.exp() + 2.0;
    let nll = [
        2.0 * (sum.ln() - 2f64.ln()) + sum.ln() - 1e-3,
        0.0,
        sum.ln(),
    ];
    let tokens = [3, 0, 1];
    for (index, piece) in report["pieces"].as_array().unwrap().iter().enumerate() {
        close(&piece["nll"], nll[index]);
        assert_eq!(piece["tokens"], tokens[index]);
    }
    let all = &report["all"];
    close(&all["nats_per_token"], (nll[0] + nll[2]) / 4.0);
    close(&all["perplexity"], ((nll[0] + nll[2]) / 4.0).exp());
    close(&all["accuracy"], 0.5);
    close(&all["top5"], 0.75);

    let text = run(&place, "evaluate --model run --ids lines.jsonl");
    assert!(
        text.contains("tokens      4") && text.contains("top-5 75.00 %"),
        "{text}"
    );
    // Ids need no tokenizer.
    fs::remove_file(place.path("run/step-00000000/tokenizer.json")).unwrap();
    run(&place, "evaluate --model run --ids lines.jsonl");
    place.write("lines.jsonl", b"{\"ids\": [1, 99999]}\n");
    fail(
        &place,
        "evaluate --model run --ids lines.jsonl",
        1,
        &["99999"],
    );
    place.write("lines.jsonl", b"[1, 2]\n");
    fail(
        &place,
        "evaluate --model run --ids lines.jsonl",
        1,
        &["lines.jsonl:1 is no line of ids"],
    );
}

#[test]
fn notes_and_seconds_of_pieces_divide_their_sums() {
    let place = world();
    let vocabulary = constant_model(&place, |_| 0.0) as f64;
    let report = run(
        &place,
        "evaluate --model run --json midis/piece-0.mid midis/piece-3.mid",
    );
    let report: Value = serde_json::from_str(&report).unwrap();
    let pieces = report["pieces"].as_array().unwrap();
    assert_eq!(pieces.len(), 2);
    let inspected: Value =
        serde_json::from_str(&run(&place, "inspect --json midis/piece-0.mid")).unwrap();
    let tokens = pieces[0]["tokens"].as_f64().unwrap();
    let encoded = run(
        &place,
        "encode --tokenizer run/step-00000000 --merge midis/piece-0.mid",
    );
    let encoded: Value = serde_json::from_str(&encoded).unwrap();
    // Framed by BOS and EOS: every id of the piece and EOS is a label.
    let ids = encoded["ids"][0].as_array().unwrap().len() as f64;
    assert_eq!(tokens, ids + 1.0);
    close(&pieces[0]["nll"], tokens * vocabulary.ln());
    let text = inspected.to_string();
    let notes = pieces[0]["nll"].as_f64().unwrap() / pieces[0]["nats_per_note"].as_f64().unwrap();
    assert!(
        text.contains(&format!("\"notes\":{}", notes.round())),
        "{notes} {text}"
    );

    let report = run(
        &place,
        "evaluate --model run --dataset dataset --val-proportion 0.5 --json",
    );
    let report: Value = serde_json::from_str(&report).unwrap();
    for baseline in ["unigram", "bigram", "five_gram"] {
        let nats = &report[format!("{baseline}_nats_per_token")];
        assert!(nats.as_f64().unwrap() > 0.0, "{baseline}");
    }
    let seconds =
        |piece: &Value| piece["nll"].as_f64().unwrap() / piece["nats_per_second"].as_f64().unwrap();
    let pieces = report["pieces"].as_array().unwrap();
    let total: f64 = pieces.iter().map(seconds).sum();
    assert!((seconds(&report["all"]) - total).abs() < 1e-6 * total);
}

#[test]
fn a_dataset_of_another_tokenizer_is_refused_with_both_hashes() {
    let place = world();
    constant_model(&place, |_| 0.0);
    run(
        &place,
        "tokenize --midis-dir midis --out-dir other --out-tokenizer o.json --vocab-size 310",
    );
    for command in [
        "evaluate --model run --dataset other --val-proportion 0.5",
        "train --init run --dataset other --out new",
    ] {
        let hash = |folder: &str| {
            let bytes = fs::read(place.path(folder).join("tokenizer.json")).unwrap();
            sha256(&bytes)
        };
        let (of_model, of_data) = (hash("run/step-00000000"), hash("other"));
        let words = [of_model.as_str(), &of_data, "tokenize --tokenizer"];
        fail(&place, command, 1, &words);
    }
    run(
        &place,
        "tokenize --midis-dir midis --out-dir same --tokenizer run/step-00000000/tokenizer.json",
    );
    run(
        &place,
        "evaluate --model run --dataset same --val-proportion 0.5",
    );
}
