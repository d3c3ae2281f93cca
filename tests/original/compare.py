"""Random models of random shapes, by the program and by the JAX original.

    python compare.py BINARY ORIGINAL MIDIS [SHAPES] [SEED]

ORIGINAL is a checkout of TchAIkovsky, whose `model` package is imported; MIDIS a
folder of a few MIDI files. Compared are sums of losses (`evaluate --ids`), and for
three optimiser steps (`train --init`) losses, gradient norms, learning rates, every
gradient (from AdamW's first moment) and every parameter.
Needs jax, equinox, optax and safetensors.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

BINARY, ORIGINAL, MIDIS = sys.argv[1:4]
SHAPES = int(sys.argv[4]) if len(sys.argv) > 4 else 8
SEED = int(sys.argv[5]) if len(sys.argv) > 5 else 1
sys.path.insert(0, ORIGINAL)
from model import TchAIkovskyModel  # noqa: E402

STEPS = 3


def call(*args):
    done = subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, args))}\n{done.stderr}")
    return done.stdout


def named(tree):
    """Arrays of a model or of a tree of its shape, by Equinox's paths."""
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(tree, eqx.is_inexact_array))
    name = lambda path: jax.tree_util.keystr(path).replace("[", ".").replace("]", "").strip(".")
    return {name(path): leaf for path, leaf in leaves}


def build(config, weights):
    model = TchAIkovskyModel(
        dim=config["dim"], num_heads=config["heads"], num_layers=config["num_layers"],
        vocab_size=config["vocab_size"], max_positions=config["max_sequence_length"],
        head_dim=config["head_dim"], dropout=config["dropout"], key=jax.random.PRNGKey(0),
    )
    names = list(named(model))
    assert sorted(names) == sorted(weights), set(names) ^ set(weights)
    arrays, others = eqx.partition(model, eqx.is_inexact_array)
    structure = jax.tree_util.tree_structure(arrays)
    arrays = [jnp.asarray(weights[name]) for name in names]
    return eqx.combine(jax.tree_util.tree_unflatten(structure, arrays), others)


def nll(model, ids):
    """Sums and counts of one row of ids, PAD labels left out."""
    inputs, labels = ids[:-1], ids[1:]
    logits = model(inputs, jnp.arange(inputs.shape[0]), inputs != 0)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    real = labels != 0
    return jnp.where(real, losses, 0).sum(), real.sum()


def loss(model, batch):
    sums, counts = jax.vmap(lambda ids: nll(model, ids))(batch)
    return sums.sum() / counts.sum()


def optimiser(model, norm, decay, schedule):
    is_decayed = lambda p: hasattr(p, "weight") and not hasattr(p, "num_embeddings")
    spec = jax.tree_util.tree_map(lambda _: "plain", eqx.filter(model, eqx.is_inexact_array))
    where = lambda m: [
        p.weight for p in jax.tree_util.tree_leaves(m, is_leaf=is_decayed) if is_decayed(p)
    ]
    spec = eqx.tree_at(where, spec, replace_fn=lambda _: "decayed")
    adamw = lambda decay: optax.adamw(schedule, weight_decay=decay)
    return optax.chain(
        optax.clip_by_global_norm(norm),
        # A function, because a module of labels would be taken for one.
        optax.multi_transform({"decayed": adamw(decay), "plain": adamw(0.0)}, lambda _: spec),
    )


def difference(found, expected, norm):
    """Largest difference, as a part of the largest magnitude; where that is small
    beside the whole gradient's norm, as a part of a hundredth of the norm."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return np.abs(found - expected).max() / max(np.abs(expected).max(), norm / 100)


def compare_evaluation(folder, model, config, rng, work):
    positions, vocab = config["max_sequence_length"], config["vocab_size"]
    lengths = [2, 3, positions + 1, rng.randint(2, positions + 1), rng.randint(2, positions + 1)]
    rows = [[rng.randrange(1, vocab) for _ in range(length)] for length in lengths]
    rows[2] = rows[2][: positions // 2] + [0] * (positions + 1 - positions // 2)
    rows[3][0] = 0
    rows.append([0] * 5)
    rows.append([rng.choice([0, rng.randrange(1, vocab)]) for _ in range(positions + 1)])
    lines = work / "lines.jsonl"
    lines.write_text("".join(json.dumps({"ids": ids}) + "\n" for ids in rows))
    found = json.loads(call("evaluate", "--model", folder, "--ids", lines, "--json"))["pieces"]
    worst = 0.0
    for ids, line in zip(rows, found, strict=True):
        total, count = nll(model, jnp.asarray(ids))
        assert line["tokens"] == count, (line, count)
        worst = max(worst, abs(line["nll"] - float(total)) / max(float(total), 1.0))
    return worst


def compare_steps(folder, model, config, rows, rng, work, dataset):
    norm, decay = rng.choice([0.05, 1.0, 50.0]), rng.choice([0.0, 0.1])
    micro = rng.choice([size for size in range(1, len(rows) + 1) if len(rows) % size == 0])
    if micro < len(rows):  # Which rows share a micro batch is the program's choice.
        micro = len(rows) if len({len(ids) for ids in rows}) > 1 else micro
    out = work / "run"
    call(
        "train", "--dataset", dataset, "--init", folder, "--out", out, "--steps", STEPS,
        "--batch-size", len(rows), "--micro-batch-size", micro, "--min-sequence-length", 2,
        "--dropout", 0, "--use-lr-scheduler", "--warmup-proportion", 0.4, "--checkpoint-every", 1,
        "--keep", 9, "--global-norm", norm, "--weight-decay", decay, "--eval-every", 99,
    )
    warmup = int(STEPS * 0.4)
    schedule = optax.join_schedules(
        [optax.linear_schedule(1e-7, 4e-4, warmup), optax.linear_schedule(4e-4, 1e-6, STEPS - warmup)],
        [warmup],
    )
    chain = optimiser(model, norm, decay, schedule)
    state = chain.init(eqx.filter(model, eqx.is_inexact_array))
    columns = max(map(len, rows))
    batch = jnp.asarray([ids + [0] * (columns - len(ids)) for ids in rows])
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    lines = [line for line in lines if "loss" in line]
    worst = {"loss": 0.0, "norm": 0.0, "rate": 0.0, "gradient": 0.0, "parameter": 0.0}
    for step in range(STEPS):
        value, gradients = eqx.filter_value_and_grad(loss)(model, batch)
        gradient_norm = optax.global_norm(eqx.filter(gradients, eqx.is_inexact_array))
        if step == 0:
            moments = load_file(out / "step-00000001/training/optimiser.safetensors")
            clip = min(1.0, norm / float(gradient_norm))
            for name, gradient in named(gradients).items():
                found = moments[f"first.{name}"] / 0.1
                error = difference(found, gradient * clip, float(gradient_norm) * clip)
                worst["gradient"] = max(worst["gradient"], error)
        line = lines[step]
        for key, found, expected in [
            ("loss", line["loss"], value),
            ("norm", line["gradient_norm"], gradient_norm),
            ("rate", line["learning_rate"], schedule(step)),
        ]:
            worst[key] = max(worst[key], abs(found / float(expected) - 1))
        updates, state = chain.update(gradients, state, eqx.filter(model, eqx.is_inexact_array))
        model = eqx.apply_updates(model, updates)
        found = load_file(out / f"step-{step + 1:08}/model.safetensors")
        for name, parameter in named(model).items():
            # In parts of what one step may move a parameter by.
            moved = np.abs(found[name] - np.asarray(parameter)).max() / 4e-4
            worst["parameter"] = max(worst["parameter"], float(moved))
    return worst


def shape(rng, longest):
    heads, head_dim = rng.choice([1, 2, 3, 5]), rng.choice([1, 2, 5, 7, 16, 33])
    return {
        "heads": heads, "head-dim": head_dim, "dim": heads * head_dim,
        "num-layers": rng.choice([1, 2, 3, 12]),
        "max-sequence-length": longest + rng.choice([0, 1, 17]),
    }


def main():
    rng, worst = random.Random(SEED), {}
    for index in range(SHAPES):
        with tempfile.TemporaryDirectory() as place:
            work = Path(place)
            dataset = work / "dataset"
            call(
                "tokenize", "--midis-dir", MIDIS, "--out-dir", dataset, "--out-tokenizer",
                work / "tokenizer.json", "--vocab-size", rng.choice([300, 331, 512, 1000]),
                "--valid-proportion", 0,
            )
            pieces = [json.loads(line) for line in (dataset / "pieces.jsonl").open()]
            files = [Path(MIDIS) / piece["source"] for piece in pieces]
            encoded = call("encode", "--merge", "--tokenizer", dataset, *files).splitlines()
            rows = [[1, *json.loads(line)["ids"][0], 2] for line in encoded]
            options = shape(rng, max(map(len, rows)) - 1)
            flags = [part for key, value in options.items() for part in (f"--{key}", value)]
            call("train", "--dataset", dataset, "--steps", 0, "--min-sequence-length", 2,
                 "--out", work / "fresh", *flags)
            folder = work / "fresh/step-00000000"
            file = folder / "model.safetensors"
            with safe_open(file, "numpy") as stored:
                metadata = stored.metadata()
            draw = np.random.default_rng(rng.randrange(1 << 30))
            weights = {
                name: (array + draw.normal(0, 0.1, array.shape)).astype(np.float32)
                for name, array in load_file(file).items()
            }
            save_file(weights, file, metadata)
            config = json.loads((folder / "config.json").read_text())
            config["dropout"] = 0.0
            model = build(config, weights)
            result = {"nll": compare_evaluation(folder, model, config, rng, work)}
            result |= compare_steps(folder, model, config, rows, rng, work, dataset)
            print(options, config["vocab_size"], {k: f"{v:.1e}" for k, v in result.items()}, flush=True)
            for key, value in result.items():
                worst[key] = max(worst.get(key, 0.0), value)
    limits = {"nll": 1e-5, "loss": 1e-5, "norm": 1e-5, "rate": 1e-6, "gradient": 2e-5, "parameter": 2e-2}
    beyond = {key: value for key, value in worst.items() if not value <= limits[key]}
    print("worst", {k: f"{v:.1e}" for k, v in worst.items()})
    sys.exit(f"beyond the limits: {beyond}" if beyond else 0)


main()
