#!/usr/bin/env bash
# run.sh PROGRAM FOLDER: imports the checkpoint that checkpoint.py wrote to
# FOLDER five times, and prints seconds, peak memory and size.
set -euo pipefail
program=$1 folder=$2
here=$(cd "$(dirname "$0")" && pwd)
tokenizer=$here/../../crates/remi/tests/fixtures/miditok-2.1.8/seed-bpe/tokenizer.json
du -sb "$folder/checkpoint-001.eqx"
cat "$folder"/checkpoint-001.eqx/d/* > /dev/null
for run in 1 2 3 4 5; do
    /usr/bin/time -f "run $run: %e s, %U s user, %S s system, %M KB at most" \
        "$program" import --config "$folder/config.json" --checkpoint "$folder/checkpoint-001.eqx" \
        --tokenizer "$tokenizer" --out "$folder/model" 2>&1 | grep -v tokenizer
    rm -r "$folder/model"
done
