#!/usr/bin/env bash
# The tests of the kernels under a sanitizer of the compiler: `address` finds reads
# and writes outside of what was taken, `thread` finds races.
#
#   crates/kernels/sanitize.sh [address|thread]
#
# Sanitizers are behind a switch that stable compilers keep shut (RUSTC_BOOTSTRAP).
# The standard library is not compiled with them. So `thread` does not see how the
# test harness's channel orders its messages, and is told to overlook the harness.
set -euo pipefail
cd "$(dirname "$0")"
sanitizer=${1:-address}
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=$sanitizer -Cunsafe-allow-abi-mismatch=sanitizer"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-../../target}/sanitize-$sanitizer
overlook=$(mktemp)
trap 'rm -f "$overlook"' EXIT
printf 'race:std::sync::mpmc\nrace:test::run_test\n' > "$overlook"
export TSAN_OPTIONS="suppressions=$overlook"
cargo test --quiet --release --locked -p kernels --target "$host" --lib --tests
