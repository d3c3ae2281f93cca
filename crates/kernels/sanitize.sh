#!/usr/bin/env bash
# The tests of the kernels under a sanitizer of the compiler: `address` finds reads
# and writes outside of what was taken, `thread` finds races.
#
#   crates/kernels/sanitize.sh [address|thread]
#
# Sanitizers are behind a switch that stable compilers keep shut (RUSTC_BOOTSTRAP).
# For `thread` the standard library would have to be compiled with it too; without,
# the fences of channels and locks inside of it are not seen, so only the tests that
# use the team's own atomics are run.
set -euo pipefail
cd "$(dirname "$0")"
sanitizer=${1:-address}
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=$sanitizer -Cunsafe-allow-abi-mismatch=sanitizer"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-../../target}/sanitize-$sanitizer
cargo test --quiet --release --locked -p kernels --target "$host" --lib --tests
