#!/usr/bin/env bash
# Tokenising beside MidiTok 3.1.0: same files, same machine, alternating.
#
#   benchmarks/tokenize/run.sh FOLDER_OF_MIDIS PYTHON [ROUNDS] [PIPELINE_ROUNDS]
#
# PYTHON has miditok==3.1.0 and symusic==0.6.0. Raw lines go to standard output:
# {"who": ..., "what": ..., "round": ..., ...}.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
midis=$(cd "$1" && pwd) python=$2 rounds=${3:-5} pipeline_rounds=${4:-3}
cd "$here/../.."
cargo build --quiet --release --locked --bin tchaikovsky
cargo build --quiet --release --locked -p corpus --example speed
target=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
line() { python3 -c 'import json,sys; d=json.loads(sys.argv[4]); print(json.dumps({"who":sys.argv[1],"what":sys.argv[2],"round":int(sys.argv[3]),**d}))' "$@"; }
echo "{\"date\": \"$(date -u +%F)\", \"cpu\": \"$(lscpu | sed -n 's/^Model name: *//p')\", \"cores\": $(nproc), \"versions\": \"$("$python" -c 'import miditok,symusic,tokenizers,importlib.metadata as m; print(*(f"{n} {m.version(n)}" for n in ("miditok","symusic","tokenizers")), sep=", ")'), $(rustc --version)\", \"command\": \"$0 FOLDER PYTHON $rounds $pipeline_rounds\"}"
"$target/tchaikovsky" tokenize --midis-dir "$midis" --out-dir "$work/first" --out-tokenizer "$work/tokenizer.json" > /dev/null
for round in $(seq "$rounds"); do
    line tchaikovsky stages "$round" "$("$target/examples/speed" "$work/tokenizer.json" "$midis")"
    line miditok stages "$round" "$("$python" -W ignore "$here/miditok_speed.py" "$work/tokenizer.json" "$midis")"
done
for round in $(seq "$pipeline_rounds"); do
    rm -rf "$work/dataset"
    /usr/bin/env time -f '%e %M' -o "$work/time" "$target/tchaikovsky" tokenize --midis-dir "$midis" \
        --out-dir "$work/dataset" --out-tokenizer "$work/again.json" > /dev/null
    read -r seconds kilobytes < "$work/time"
    line tchaikovsky pipeline "$round" "{\"seconds\": $seconds, \"peak_mb\": $((kilobytes / 1024))}"
    line miditok pipeline "$round" "$("$python" -W ignore "$here/miditok_pipeline.py" "$midis" 10000 2>/dev/null | tail -1)"
done
