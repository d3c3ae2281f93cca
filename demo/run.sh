#!/usr/bin/env bash
# Builds the program and runs the main job, small: pieces written as notes in
# code, tokenised, a tiny model trained on them, a prompt continued, a piece from
# nothing. Everything is written below demo/out.
#
# TCHAIKOVSKY  use this program and build none
# STEPS        steps of training [default: 150]
set -euo pipefail
cd "$(dirname "$0")/.."
out=demo/out
rm -rf "$out"
tchaikovsky=${TCHAIKOVSKY:-}
if [[ -z $tchaikovsky ]]; then
    cargo build --release --locked --bin tchaikovsky
    tchaikovsky=${CARGO_TARGET_DIR:-target}/release/tchaikovsky
fi
cargo run --quiet --release --locked -p score --example pieces -- "$out/midis"
"$tchaikovsky" tokenize --midis-dir "$out/midis" --out-dir "$out/dataset" \
    --out-tokenizer "$out/tokenizer.json" --vocab-size 600 --use-sustain-pedal
"$tchaikovsky" train --dataset "$out/dataset" --out "$out/run" --size tiny \
    --max-sequence-length 128 --min-sequence-length 32 --batch-size 8 --dropout 0 \
    --learning-rate 0.001 --use-lr-scheduler --steps "${STEPS:-150}" --eval-every 50
"$tchaikovsky" generate --model "$out/run" --prompt-midi "$out/midis/ode-to-joy-0.mid" \
    --prompt-seconds 8 --seconds 30 --temperature 0.8 --output-file "$out/continued.mid"
"$tchaikovsky" generate --model "$out/run" --seconds 30 --temperature 0.8 \
    --output-file "$out/from-nothing.mid"
"$tchaikovsky" inspect "$out/continued.mid" "$out/from-nothing.mid"
cat <<TOLD

Hear it, and play with this small model, on a page in your browser:
  $tchaikovsky serve --model $out/run --open
TOLD
