//! A dataset of a few pieces, and a model that trains in milliseconds.

use serde_json::Value;

use crate::support::Workplace;

/// Options of a small model and a short run.
pub const SMALL: &str =
    "--heads 2 --head-dim 4 --num-layers 1 --max-sequence-length 32 --min-sequence-length 8";

/// A folder with `dataset`, eight pieces of which none is kept back.
pub fn world() -> Workplace {
    let place = Workplace::new(8);
    run(
        &place,
        "tokenize --midis-dir midis --out-dir dataset --vocab-size 320 --valid-proportion 0",
    );
    place
}

/// Runs what has to succeed, arguments parted by spaces.
pub fn run(place: &Workplace, arguments: &str) -> String {
    place.succeed(&arguments.split_whitespace().collect::<Vec<_>>())
}

/// Runs what has to fail with this exit code, a message that names all of
/// `words`, and nothing new in the folder.
pub fn fail(place: &Workplace, arguments: &str, code: i32, words: &[&str]) {
    place.fail(
        &arguments.split_whitespace().collect::<Vec<_>>(),
        code,
        words,
    );
}

/// The lines of a run's `metrics.jsonl` without what the clock decides.
pub fn metrics(place: &Workplace, run: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(place.path(run).join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        fields.remove("seconds");
        fields.remove("tokens_per_second");
        line
    };
    text.lines().map(line).collect()
}

/// The stored state of a checkpoint.
pub fn state(place: &Workplace, checkpoint: &str) -> Value {
    let path = place.path(checkpoint).join("training/state.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
