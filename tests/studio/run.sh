#!/usr/bin/env bash
# Tries the page in a real browser: generating, playing, seeking, going on,
# variations, files, downloads, a server that goes and comes back.
#
#   tests/studio/run.sh [BINARY]    [default: the release build]
#
# Needs Debian's chromium, nodejs and npm; what is missing is installed by apt,
# and playwright-core by npm.
#
# STUDIO_MODEL  play this model folder [default: an untrained one, made here]
# STUDIO_NPM    keep playwright-core here [default: a temporary folder]
# STUDIO_SHOTS  keep screenshots here [default: none are kept]
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

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if ((${#missing[@]})); then
    sudo=$( ((EUID == 0)) || echo sudo)
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y "${missing[@]}" >/dev/null
fi
npm=${STUDIO_NPM:-$work/npm}
if [[ ! -d $npm/node_modules/playwright-core ]]; then
    mkdir -p "$npm"
    # A version that Debian's Node.js 18 still runs.
    npm install --prefix "$npm" --silent --no-audit --no-fund playwright-core@1.57.0
fi

model=${STUDIO_MODEL:-}
if [[ -z $model ]]; then
    "$binary" tokenize --preset performance --midis-dir "$here/../../crates/studio/examples" \
        --out-dir "$work/dataset" --out-tokenizer "$work/tokenizer.json" --vocab-size 500
    "$binary" train --dataset "$work/dataset" --out "$work/untrained" --size tiny --steps 0 \
        --max-sequence-length 256 --min-sequence-length 16
    model=$work/untrained
fi
cp "$here"/*.mjs "$work"
ln -s "$npm/node_modules" "$work/node_modules"
BINARY=$binary MODEL=$model EXAMPLES=$here/../../crates/studio/examples \
    SHOTS=${STUDIO_SHOTS:-} node "$work/browser.mjs"
