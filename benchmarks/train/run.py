"""Training speed beside PyTorch: alternates both, writes raw lines, prints medians.

    run.py --case default-bf16-4 --ours PROGRAM --python PYTHON --out RESULTS.jsonl

PROGRAM is the example `throughput` of crate `train`, PYTHON has PyTorch. Each run is
a process of its own, whose first step (warm-up, compilation) does not count.
"""

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess

# PyTorch's best on the machine of the results, with its memory as it comes (glibc gives
# large buffers back to the system) and kept, eight sequences at once or so many at a time;
# `--variants all` tries every one at once.
F32 = ["eager onednn returned", "eager onednn kept"]
F32_OF_8 = [*F32, "eager onednn kept 4"]
SMALL_F32 = ["eager onednn kept", "eager mkl kept"]
EAGER_BF16 = ["eager mkl returned", "eager mkl kept"]
BF16 = ["compiled mkl returned", "compiled mkl kept"]
ALL = {
    "f32": [
        f"{mode} {linears} {memory}"
        for mode in ("eager", "compiled")
        for linears in ("mkl", "onednn")
        for memory in ("returned", "kept")
    ],
    "bf16": [
        f"{mode} mkl {memory}" for mode in ("eager", "compiled") for memory in ("returned", "kept")
    ],
}

# name: size, sequences, steps a process, precision, dropout, kernels of ours, PyTorch's variants
CASES = {
    "default-f32-4": ("default", 4, 3, "f32", 0.0, ["fused"], F32),
    "default-f32-8": ("default", 8, 3, "f32", 0.0, ["fused"], F32_OF_8),
    "default-bf16-4": ("default", 4, 4, "bf16", 0.0, ["fused"], EAGER_BF16),
    "default-bf16-8": ("default", 8, 3, "bf16", 0.0, ["fused"], BF16),
    "default-f32-4-dropout": ("default", 4, 3, "f32", 0.1, ["fused"], []),
    "default-bf16-4-dropout": ("default", 4, 4, "bf16", 0.1, ["fused"], ["compiled mkl kept"]),
    "small-bf16-4": ("small", 4, 5, "bf16", 0.0, ["fused"], BF16),
    # For processors without bf16 products, where PyTorch's bf16 crawls.
    "small-f32-4": ("small", 4, 5, "f32", 0.0, ["fused"], SMALL_F32),
    "tiny-f32-8": ("tiny", 8, 9, "f32", 0.0, ["fused"], SMALL_F32),
    "tiny-bf16-8": ("tiny", 8, 9, "bf16", 0.0, ["fused"], BF16),
    "composite-f32-4": ("default", 4, 2, "f32", 0.0, ["composite"], []),
}


def commands_of(case, arguments):
    """Name and command of each program that the case runs in turn."""
    size, sequences, steps, precision, dropout, kernels, variants = CASES[case]
    shape = [size, str(sequences), str(steps)]
    commands = []
    for kernel in kernels if arguments.ours else []:
        # A run with dropout stands beside the same without.
        for rate in sorted({0.0, dropout}):
            name = f"ours {kernel}" + (f" dropout {rate}" if rate else "")
            commands.append((name, [arguments.ours, *shape, precision, kernel, str(rate)]))
    if arguments.variants == "all":
        variants = ALL[precision]
    script = str(pathlib.Path(__file__).with_name("torch_train.py"))
    for variant in variants if arguments.python else []:
        mode, linears, memory, *at_a_time = variant.split()
        options = [f"--precision={precision}", f"--dropout={dropout}", f"--mode={mode}"]
        options += [f"--linears={linears}", f"--memory={memory}"]
        options += [f"--at-a-time={sequences}" for sequences in at_a_time]
        commands.append((f"torch {variant}", [arguments.python, script, *shape, *options]))
    return commands


def cpu_model():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "?")


def measure(command):
    """The JSON line that `command` prints last, with the load before it began."""
    load = float(pathlib.Path("/proc/loadavg").read_text().split()[0])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {"load": load, "error": done.stderr.strip().splitlines()[-1:]}
    return {"load": load, **json.loads(done.stdout.splitlines()[-1])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, required=True)
    parser.add_argument("--ours", help="the program `throughput`; without it only PyTorch")
    parser.add_argument("--python", help="a Python with PyTorch; without it only ours")
    parser.add_argument("--variants", choices=["best", "all"], default="best")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--version", default="", help="of ours, such as a commit")
    parser.add_argument("--note", default="", help="anything about how it was run")
    arguments = parser.parse_args()

    fixed = {"case": arguments.case, "cpu": cpu_model(), "ours": arguments.version}
    fixed["note"] = arguments.note
    commands = commands_of(arguments.case, arguments)
    rates = {name: [] for name, _ in commands}
    peaks = {name: [] for name, _ in commands}
    with arguments.out.open("a") as out:
        for run in range(1, arguments.runs + 1):
            for name, command in commands:
                now = datetime.datetime.now(datetime.timezone.utc)
                line = {"date": now.isoformat(timespec="seconds"), **fixed, "who": name}
                line |= {"run": run, **measure(command)}
                print(json.dumps(line), file=out, flush=True)
                if "error" in line:
                    print(f"{name}: {line['error']}")
                    continue
                # The median of a run's steps after its first is the run's figure.
                rates[name].append(statistics.median(line["tokens_per_second"][1:]))
                peaks[name].append(line["peak_memory_mb"])

    first = next((statistics.median(values) for values in rates.values() if values), None)
    for name, values in rates.items():
        if values:
            median = statistics.median(values)
            spread = f"{min(values):.0f} to {max(values):.0f}"
            print(
                f"{arguments.case} | {name} | {median:.0f} tokens/s ({spread})"
                f" | {max(peaks[name])} MB | {first / median:.2f}"
            )


if __name__ == "__main__":
    main()
