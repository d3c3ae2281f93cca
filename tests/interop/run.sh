#!/usr/bin/env bash
# Compares the binary with MidiTok 3.1.0, symusic 0.6.0 and mido: tokens, BPE,
# tokenizer files, MIDI files.
#
#   tests/interop/run.sh [BINARY]    [default: the release build]
#
# INTEROP_VENV  keep the Python environment here [default: a temporary folder]
# INTEROP_MIDIS a folder of MIDI files to compare too; up to 60 of them are drawn
set -euo pipefail

here=$(dirname "$(realpath "$0")")
binary=${1:-${CARGO_TARGET_DIR:-$here/../../target}/release/tchaikovsky}
if [[ ! -x $binary ]]; then
    echo "$binary is no program; build it or name one: $0 BINARY" >&2
    exit 2
fi
binary=$(realpath "$binary")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
venv=${INTEROP_VENV:-$work/venv}
if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check \
    miditok==3.1.0 symusic==0.6.0 mido==1.3.3
HF_HUB_OFFLINE=1 "$venv/bin/python" "$here/compare.py" "$binary" "$work"
