"""The gradient of one step beside PyTorch's in f32, at the same weights and examples.

    torch_gradient.py MODEL BATCHES OPTIMISER...

MODEL is the model.safetensors that a step began with, BATCHES what the example `batches`
wrote for its dataset, seed and batch size (the first is used), each OPTIMISER the
training/optimiser.safetensors after that step, without clipping and with betas of 0.9
and 0.999: its first moments are a tenth of the gradient. Prints for PyTorch in bf16
(autocast) and each OPTIMISER: the norm of the difference from PyTorch's f32 gradient,
of that gradient's own norm, for all parameters together and for the worst one.
"""

import sys

import numpy as np
import torch
from safetensors.torch import load_file

from torch_curve import COLUMNS, ROWS, build, loss_of, name_of


def gradient(model, ids, bf16):
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = loss_of(model, ids)
    loss.backward()
    found = {name: parameter.grad.double() for name, parameter in model.named_parameters()}
    return loss.item(), found


def report(who, found, right):
    far = {name: (found[name] - g).norm().item() for name, g in right.items()}
    total = sum(x**2 for x in far.values()) ** 0.5
    norm = sum(g.norm().item() ** 2 for g in right.values()) ** 0.5
    worst, name = max((far[name] / g.norm().item(), name) for name, g in right.items())
    print(f"{who}: {total / norm:.2e} of all, {worst:.2e} of {name}")


def main():
    model, batches, *optimisers = sys.argv[1:]
    torch.set_num_threads(2)
    model = build(load_file(model), 0.0)
    ids = np.memmap(batches, np.uint16, "r").reshape(-1, ROWS, COLUMNS)[0]
    ids = torch.from_numpy(ids.astype(np.int64))
    loss, right = gradient(model, ids, bf16=False)
    print(f"loss {loss:.6f}")
    report("PyTorch bf16", gradient(model, ids, bf16=True)[1], right)
    for path in optimisers:
        moments = load_file(path)
        found = {
            name: 10 * moments["first." + name_of(name)].double().view_as(g)
            for name, g in right.items()
        }
        report(path, found, right)


if __name__ == "__main__":
    main()
