#!/usr/bin/env bash
# Runs on a GPU what computes with tensors: the comparisons with the JAX
# original, training, killing and resuming, generation beside the CPU's engine,
# and the commands.
#
#   tests/gpu/run.sh                  on the software driver SwiftShader
#   tests/gpu/run.sh vulkan:0         on a device of this machine
#
# SwiftShader comes with Debian's package chromium, which is installed where
# that is missing. The first run compiles Burn's backend: expect half an hour on
# two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."

device=${1:-swiftshader}
if [[ $device == swiftshader ]]; then
    device=webgpu:0
    driver=/usr/lib/chromium/vk_swiftshader_icd.json
    if [[ ! -f $driver ]]; then
        apt-get update
        apt-get install --yes --no-install-recommends chromium libvulkan1
    fi
    export VK_DRIVER_FILES=$driver
    export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$(mktemp -d)}
fi
export TEST_DEVICE=$device
feature=${device%%:*}

# All packages at once: any other choice would compile the backend again.
cargo test --release --locked -p model -p train -p generate -p tchaikovsky \
    --features "tchaikovsky/$feature" --test original --test device \
    --test device_engine --test training_model --test run --bins -- --test-threads 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tchaikovsky=${CARGO_TARGET_DIR:-target}/release/tchaikovsky
cargo run --quiet --release --locked -p score --example pieces -- "$work/midis"
"$tchaikovsky" tokenize --midis-dir "$work/midis" --out-dir "$work/dataset" \
    --out-tokenizer "$work/tokenizer.json" --vocab-size 600 --use-sustain-pedal
train=("$tchaikovsky" train --dataset "$work/dataset" --device "$device")
"${train[@]}" --out "$work/run" --size tiny --max-sequence-length 64 \
    --min-sequence-length 16 --batch-size 4 --micro-batch-size 2 --steps 3
"${train[@]}" --resume "$work/run" --steps 5 --batch-size 4 --micro-batch-size 2 \
    --min-sequence-length 16
for place in cpu "$device"; do
    "$tchaikovsky" evaluate --model "$work/run" --dataset "$work/dataset" --device "$place"
    "$tchaikovsky" generate --model "$work/run" --device "$place" --weights f32 --temperature 0 \
        --max-to-generate 80 --no-end --output-file "$work/$place.mid"
done
cmp "$work/cpu.mid" "$work/$device.mid"
