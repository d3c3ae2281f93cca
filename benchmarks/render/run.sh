#!/usr/bin/env bash
# Speed and memory of making sound, beside FluidSynth, on one core each.
#
#     run.sh PROGRAM FONT.sf2 PIECE.mid...
#
# Prints a line of JSON for each piece and instrument: seconds of sound, of work
# (user and system time), how many times faster than real time, peak memory.
set -euo pipefail
program=$1 font=$2
shift 2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

measure() {
    local piece=$1 name=$2
    shift 2
    rm -f "$out/sound.wav"
    taskset -c 0 /usr/bin/time -f '%U %S %M' -o "$out/time" "$@" >/dev/null 2>&1
    python3 - "$piece" "$name" "$out" <<'PY'
import json, os, sys
piece, name, out = sys.argv[1:]
user, system, memory = map(float, open(f"{out}/time").read().split())
sound = (os.path.getsize(f"{out}/sound.wav") - 44) / 4 / 48000
work = user + system
print(json.dumps({"piece": os.path.basename(piece), "by": name, "sound_seconds": round(sound, 1),
                  "work_seconds": round(work, 2), "times_real_time": round(sound / work, 1),
                  "peak_mb": round(memory / 1024)}))
PY
}

for piece in "$@"; do
    measure "$piece" built-in "$program" render "$piece" --out "$out/sound.wav"
    measure "$piece" "built-in, soundfont" "$program" render "$piece" --soundfont "$font" --out "$out/sound.wav"
    measure "$piece" fluidsynth fluidsynth -ni -q -r 48000 -o synth.cpu-cores=1 -F "$out/sound.wav" "$font" "$piece"
done
