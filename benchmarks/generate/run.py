"""Generating beside PyTorch with a key/value cache: same size, same machine,
alternating.

    python3 run.py measure TCHAIKOVSKY MODEL PROMPT_MIDI TORCH_PYTHON [ROUNDS] >> raw.jsonl
    python3 run.py report raw.jsonl

MODEL is a model folder of the default size (trained or not), PROMPT_MIDI a piece
of at least 1,000 tokens. The program is measured as users run it, with grammar
and sampling; PyTorch samples from its softmax. Raw lines:
{"who": ..., "what": ..., "mode": ..., "batch": ..., "round": ..., ...}.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPT, NEW, LONG, THREADS = 256, 256, 1000, 2
OURS = [("f32", 1), ("f32", 8), ("bf16", 1), ("bf16", 8), ("int8", 1), ("int8", 8)]
THEIRS = [("f32", 1), ("f32-onednn", 1), ("bf16", 1), ("bf16-onednn", 1), ("bf16", 8), ("bf16-onednn", 8)]


def generate(program, model, arguments, folder):
    """What the program's summary says, and its most memory."""
    command = [program, "generate", "--model", model, "--threads", str(THREADS), "--json",
               "--no-end", "--output-file", str(Path(folder) / "out.mid"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    summary = json.loads(text)
    keys = ("prompt_tokens", "tokens", "prefill_seconds", "decode_seconds", "tokens_per_second")
    return {key: summary[key] for key in keys} | {"peak_mb": usage.ru_maxrss / 1024}


def first_note(program, model, mode, folder, seed):
    """Seconds from the start of the process to its first note."""
    command = [program, "generate", "--model", model, "--weights", mode, "--stream", "--seed", str(seed),
               "--threads", str(THREADS), "--notes", "1", "--output-file", str(Path(folder) / "out.mid")]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while b'"pitch"' not in (process.stdout.readline() or b'"pitch"'):
        pass
    seconds = time.perf_counter() - start
    process.communicate()
    return {"seconds": seconds}


def torch(python, *arguments):
    script = Path(__file__).with_name("torch_decode.py")
    command = [python, "-W", "ignore", script, *map(str, arguments), str(THREADS)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:  # Not every processor has every mode.
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout)


def head(program, python):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    version = subprocess.run([python, "-W", "ignore", "-c", "import torch; print(torch.__version__)"],
                             stdout=subprocess.PIPE, text=True).stdout.strip()
    ours = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    return {"date": time.strftime("%F", time.gmtime()), "cpu": cpu, "cores": os.cpu_count(),
            "system": platform.release(), "versions": f"{ours}, torch {version}",
            "command": "run.py " + " ".join(sys.argv[1:2] + [Path(a).name for a in sys.argv[2:]])}


def measure(program, model, prompt, python, rounds="5"):
    print(json.dumps(head(program, python)), flush=True)

    def line(number, who, what, mode, batch, figures):
        line = {"who": who, "what": what, "mode": mode, "batch": batch, "round": number}
        print(json.dumps(line | figures), flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, int(rounds) + 1):
            # One of ours, one of theirs, so that both meet the same machine.
            for i in range(max(len(OURS), len(THEIRS))):
                mode, batch = OURS[i]
                line(number, "tchaikovsky", "decode", mode, batch, generate(program, model, [
                    "--weights", mode, "--num-samples", str(batch), "--seed", str(number),
                    "--prompt-midi", prompt, "--prompt-midi-slice", str(PROMPT - 1),
                    "--max-to-generate", str(NEW)], folder))
                mode, batch = THEIRS[i]
                line(number, "torch", "decode", mode, batch, torch(python, mode, batch, PROMPT, NEW))
            for mode in ("f32", "bf16", "int8"):
                line(number, "tchaikovsky", "prefill", mode, 1, generate(program, model, [
                    "--weights", mode, "--prompt-midi", prompt, "--prompt-midi-slice", str(LONG - 1),
                    "--max-to-generate", "1"], folder))
                line(number, "tchaikovsky", "first note", mode, 1,
                     first_note(program, model, mode, folder, number))
            for mode in ("f32-onednn", "bf16", "bf16-onednn"):
                line(number, "torch", "prefill", mode, 1, torch(python, mode, 1, LONG, 1))


def report(path):
    groups = {}
    for text in open(path):
        line = json.loads(text)
        if "who" in line and "error" not in line:
            groups.setdefault((line["what"], line["who"], line["mode"], line["batch"]), []).append(line)
    print("| what | who | weights | samples | median | peak MB |\n|---|---|---|---|---|---|")
    for (what, who, mode, batch), lines in sorted(groups.items()):
        median = lambda key: statistics.median(line[key] for line in lines)
        figure = {"decode": lambda: f"{median('tokens_per_second'):,.0f} tokens/s",
                  "prefill": lambda: f"{1000 * median('prefill_seconds'):.0f} ms",
                  "first note": lambda: f"{1000 * median('seconds'):.0f} ms"}[what]()
        memory = f"{median('peak_mb'):.0f}" if "peak_mb" in lines[0] else ""
        print(f"| {what} | {who} | {mode} | {batch} | {figure} | {memory} |")


{"measure": measure, "report": report}[sys.argv[1]](*sys.argv[2:])
