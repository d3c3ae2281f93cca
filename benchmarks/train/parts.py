"""Where the time of a training step goes, by part, ours or PyTorch's.

    parts.py ours PROGRAM small 4 20 bf16
    parts.py torch small 4 6 bf16
    parts.py both PROGRAM PYTHON small 4 20 bf16

Prints a table to standard error and a line of JSON to standard output: shares, tokens
a second (ours while it is sampled) and peak memory. `both` runs one after the other. PROGRAM is the example `training` of crate `kernels` with line tables, so that samples
can be told apart by the source they come from; it is sampled by Linux's `perf`:

    CARGO_PROFILE_RELEASE_DEBUG=line-tables-only CARGO_PROFILE_RELEASE_STRIP=none \\
        cargo build --release -p kernels --example training

PyTorch's share is that of each operator's own time in its own profiler, eager.
"""

import collections
import datetime
import json
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

# The first that fits the chain of inlined functions' files decides.
OURS = [
    ("attention/.*tile.rs|tile.rs.*attention/", "products of attention"),
    ("weight_gradients.*tile.rs|tile.rs.*weight_gradients", "products of weight gradients"),
    ("head/.*tile.rs|tile.rs.*head/", "products of the head"),
    ("tile.rs", "products of layers"),
    ("attention/", "attention beside products"),
    ("training/norm.rs|kernels/src/norm.rs", "norms"),
    ("head/", "softmax and loss"),
    ("adamw.rs", "optimiser"),
    ("linear.rs", "packing weights"),
    ("embedding.rs", "embedding"),
    ("team.rs", "waiting"),
    ("block/|sinks.rs|over_tokens.rs", "activation, conversion, residual sums"),
]
TORCH = [
    ("mm|linear|_linear_pointwise", "products"),
    ("scaled_dot_product|flash_attention", "attention"),
    ("softmax|nll_loss|cross_entropy", "softmax and loss"),
    ("layer_norm", "norms"),
    ("adam|foreach|clip|linalg|norm|stack", "optimiser and clipping"),
    ("embedding", "embedding"),
    ("copy_|_to_copy|clone|contiguous", "conversion and copies"),
    ("silu|add|mul|sum", "activation, residual sums"),
]


def part_of(text, rules):
    return next((part for pattern, part in rules if re.search(pattern, text)), "other")


def report(parts, who, arguments, tokens_per_second, peak):
    """Prints both; `peak` is the most memory in KiB."""
    total = sum(parts.values())
    shares = {
        part: round(100 * count / total, 1)
        for part, count in collections.Counter(parts).most_common()
    }
    for part, share in shares.items():
        print(f"{part:40} {share:5.1f} %", file=sys.stderr)
    line = {
        "who": who,
        "size": arguments[0],
        "sequences": int(arguments[1]),
        "precision": arguments[3],
        "date": datetime.datetime.now().isoformat(timespec="minutes"),
        "tokens_per_second": round(tokens_per_second),
        "peak_memory_mb": peak * 1024 // 1_000_000,
        "percent": shares,
    }
    print(json.dumps(line), flush=True)


def ours(program, *arguments):
    """Samples the program once a millisecond, after its first three seconds."""
    with tempfile.TemporaryDirectory() as folder:
        data = str(pathlib.Path(folder) / "perf.data")
        record = ["perf", "record", "-o", data, "-F", "999", "-D", "3000", program, *arguments]
        told = subprocess.run(record, check=True, capture_output=True, text=True).stdout
        print(told, file=sys.stderr)
        # Before perf's own reading of the samples, which takes memory too.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        script = ["perf", "script", "-i", data, "-F", "ip,dso", "--show-mmap-events"]
        lines = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    name = pathlib.Path(program).name
    base, samples, parts = 0, collections.Counter(), collections.Counter()
    for line in lines.splitlines():
        place = re.search(r"\[(0x[0-9a-f]+)\(0x[0-9a-f]+\) @ (\w+) .*r-xp .*/" + name, line)
        if place:
            base = int(place[1], 16) - int(place[2], 16)
        sample = re.match(r"\s*([0-9a-f]+) \((.*)\)$", line)
        if sample and sample[2].endswith(name):
            samples[int(sample[1], 16)] += 1
        elif sample:
            parts["memory and system"] += 1
    # Addresses in the file are those that its program headers name.
    headers = subprocess.run(["readelf", "-lW", program], check=True, capture_output=True, text=True)
    segments = (line.split() for line in headers.stdout.splitlines() if "R E" in line)
    shift = next(int(words[2], 16) - int(words[1], 16) for words in segments)
    addresses = [hex(ip - base + shift) for ip in samples]
    command = ["addr2line", "-i", "-a", "-e", program]
    chains = subprocess.run(
        command, input="\n".join(addresses), check=True, capture_output=True, text=True
    ).stdout
    chains = re.split(r"^0x[0-9a-f]+\n", chains, flags=re.MULTILINE)[1:]
    for count, chain in zip(samples.values(), chains):
        parts[part_of(chain.replace("\n", " "), OURS)] += count
    report(parts, "ours", arguments, float(told.split()[0]), peak)


def torch(size, sequences, steps, precision):
    import torch
    import torch_train as train

    train.keep_freed_memory()
    torch.set_num_threads(2)
    train.Linear.use_onednn = precision == "f32"
    shape = train.SIZES[size]
    model = train.Transformer(*shape, 0.0)
    optimizer = train.optimizer_of(model)
    count = int(sequences) * shape[-1]
    ids = torch.arange(count + 1) * 7919 % (train.VOCABULARY - 3) + 3
    tokens, labels = ids[:-1].view(-1, shape[-1]), ids[1:].view(-1, shape[-1])

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = model(tokens, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    step()
    began = time.perf_counter()
    for _ in range(int(steps)):
        step()
    rate = int(steps) * count / (time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(int(steps)):
            step()
    parts = collections.Counter()
    for event in profile.key_averages():
        parts[part_of(event.key, TORCH)] += event.self_cpu_time_total
    report(parts, "torch " + torch.__version__, (size, sequences, steps, precision), rate, peak)


def both(program, python, *arguments):
    for command in ([sys.executable, __file__, "ours", program], [python, __file__, "torch"]):
        subprocess.run([*command, *arguments], check=True)


if __name__ == "__main__":
    {"ours": ours, "torch": torch, "both": both}[sys.argv[1]](*sys.argv[2:])
