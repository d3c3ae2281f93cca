"""A run of `train` once more in PyTorch: the same weights, examples and rates.

    torch_curve.py INITIAL BATCHES METRICS OUT.jsonl STATE.pt [--steps N] [--dropout SHARE]

INITIAL is the model.safetensors of `train --steps 0` with the run's options, BATCHES
what the example `batches` wrote for its dataset, seed and batch size, METRICS the
run's metrics.jsonl, whose learning rates are used. Products in bf16 (autocast).
Positions are rotary where INITIAL has no embeddings of them. SHARE is the run's
dropout of attention, whose random numbers alone differ; without it nothing does.
OUT gets a line a step: step, loss of PyTorch, loss of the run. Goes on from STATE
where that is there. At the end the weights lie beside STATE as .safetensors, for
`train --init` or `evaluate` in the place of INITIAL's.
"""

import argparse
import json
import pathlib
import sys
import time

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "train"))
import torch_train  # noqa: E402

ROWS, COLUMNS, SAVE_EVERY = 8, 1025, 250


class RotaryBlock(torch_train.Block):
    """Turns queries and keys: value i of a head is paired with i + width / 2."""

    def __init__(self, heads, head_width, dropout):
        super().__init__(heads, head_width, dropout)
        speeds = 10_000.0 ** -(torch.arange(head_width // 2) / (head_width // 2))
        angles = torch.arange(COLUMNS - 1)[:, None] * speeds
        self.register_buffer("cosines", angles.cos().repeat(1, 2), persistent=False)
        self.register_buffer("sines", angles.sin().repeat(1, 2), persistent=False)

    def place(self, x):
        first, second = x.float().chunk(2, -1)
        crossed = torch.cat([-second, first], -1)
        return (x * self.cosines + crossed * self.sines).to(x.dtype)


def name_of(parameter):
    """What a parameter is called in a model folder."""
    names = {
        "tokens": "id_embeddings", "positions": "pos_embeddings", "norm": "norm_out",
        "head": "out_head", "q": "attn.query_proj", "k": "attn.key_proj",
        "v": "attn.value_proj", "output": "attn.output_proj", "up": "fc.layers.0",
        "down": "fc.layers.1", "norm1": "norm1", "norm2": "norm2",
    }
    *place, module, kind = parameter.split(".")
    prefix = f"decoder.layers.{place[1]}." if place else ""
    return f"{prefix}{names[module]}.{kind}"


def export(model, initial, path):
    """Writes the weights as those of a model folder, with the header of `initial`."""
    with safe_open(initial, "pt") as file:
        header = file.metadata()
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}
    weights = {
        name_of(name): parameter.detach().view(shapes[name_of(name)]).contiguous()
        for name, parameter in model.named_parameters()
    }
    save_file(weights, path, header)


def build(weights, dropout):
    """The benchmark's model with the weights of a model folder."""
    vocabulary, width = weights["id_embeddings.weight"].shape
    rotary = "pos_embeddings.weight" not in weights
    layers = 1 + max(int(n.split(".")[2]) for n in weights if n.startswith("decoder.layers."))
    torch_train.VOCABULARY = vocabulary
    if rotary:
        torch_train.Block = RotaryBlock
    model = torch_train.Transformer(width // 64, 64, layers, COLUMNS - 1, dropout)
    if rotary:
        model.positions = None
    taken = {
        name: weights.pop(name_of(name)).view_as(parameter)
        for name, parameter in model.named_parameters()
    }
    assert not weights, list(weights)
    model.load_state_dict(taken)
    return model


def loss_of(model, ids):
    """Mean loss over the labels that are not PAD; ids are (rows, 1025)."""
    tokens, labels = ids[:, :-1], ids[:, 1:]
    x = model.tokens(tokens)
    if model.positions is not None:
        x = x + model.positions.weight
    for block in model.blocks:
        x = block(x)
    logits = model.head(model.norm(x)).flatten(0, 1)
    return torch.nn.functional.cross_entropy(logits, labels.flatten(), ignore_index=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("initial", "batches", "metrics", "out", "state"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=1 << 30)
    parser.add_argument("--dropout", type=float, default=0.0)
    arguments = parser.parse_args()
    torch_train.keep_freed_memory()
    torch.set_num_threads(2)
    torch.manual_seed(1)
    model = build(load_file(arguments.initial), arguments.dropout)
    optimizer = torch_train.optimizer_of(model)
    lines = [json.loads(line) for line in arguments.metrics.open()]
    lines = [line for line in lines if "loss" in line]
    batches = np.memmap(arguments.batches, np.uint16, "r").reshape(-1, ROWS, COLUMNS)
    first = 0
    if arguments.state.exists():
        state = torch.load(arguments.state)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        first = state["steps"]
    compiled = torch.compile(loss_of)
    last = min(len(lines), len(batches), arguments.steps)
    with arguments.out.open("a") as out:
        for step in range(first, last):
            began = time.perf_counter()
            ids = torch.from_numpy(batches[step].astype(np.int64))
            for group in optimizer.param_groups:
                group["lr"] = lines[step]["learning_rate"]
            with torch.autocast("cpu", torch.bfloat16):
                loss = compiled(model, ids)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            line = {
                "step": step + 1, "pytorch": round(loss.item(), 5),
                "ours": round(lines[step]["loss"], 5),
                "seconds": round(time.perf_counter() - began, 2),
            }
            print(json.dumps(line), file=out, flush=True)
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == last:
                kept = {
                    "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                    "random": torch.get_rng_state(), "steps": step + 1,
                }
                torch.save(kept, arguments.state)
    export(model, arguments.initial, arguments.state.with_suffix(".safetensors"))


if __name__ == "__main__":
    main()
