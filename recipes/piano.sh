#!/usr/bin/env bash
# From a folder of piano MIDI files to a model: the recipe of the small piano model.
#
#   recipes/piano.sh MIDIS OUT [STEPS]
#
# MIDIS holds the files and `manifest.csv` (columns path and split), which says what
# validates; without it a tenth of the pieces does. OUT gets the dataset, the run, and
# the model in half the size, `piano`, as it lies in models/.
# Stopped or killed, the same command goes on where it was.
#
# Why so (benchmarks/corpus): time is real time and the pedal is told, because
# performances have no beat; 500 ids, hardly any BPE, because with little data and
# little time a small vocabulary foresees a note better than a large one. Rotary
# positions, because learned ones take a small model thousands of steps to make sense
# of (benchmarks/small-model); no dropout, because it sees no piece more than three times.
set -euo pipefail

if (($# < 2)); then
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
midis=$1 out=$2 steps=${3:-7000}
tchaikovsky=${TCHAIKOVSKY:-$(dirname "$0")/../target/release/tchaikovsky}

mkdir -p "$out"
if [[ ! -d $out/dataset ]]; then
    split=()
    [[ -f $midis/manifest.csv ]] && split=(--manifest "$midis/manifest.csv")
    "$tchaikovsky" tokenize --midis-dir "$midis" "${split[@]}" --preset performance \
        --vocab-size 500 --out-dir "$out/dataset" --out-tokenizer "$out/tokenizer.json"
fi
if compgen -G "$out/run/step-*" > /dev/null; then
    "$tchaikovsky" train --resume "$out/run" --dataset "$out/dataset" --steps "$steps"
else
    "$tchaikovsky" train --dataset "$out/dataset" --out "$out/run" --size small --use-bf16 \
        --rotary --dropout 0 --augment --batch-size 8 --learning-rate 2e-3 \
        --use-lr-scheduler --steps "$steps" \
        --eval-every 250 --eval-examples 140 --checkpoint-every 500 --keep 1 --seed 1
fi
"$tchaikovsky" evaluate --model "$out/run" --dataset "$out/dataset"
rm -rf "$out/piano"
"$tchaikovsky" export --model "$out/run" --to folder-bf16 "$out/piano"
