"""Puts PyTorch's weights and moments in the place of a run's, to go on from there.

    torch_to_run.py INITIAL STATE.pt CHECKPOINT

INITIAL and STATE.pt are those of `torch_curve.py`; CHECKPOINT is a checkpoint of the
run as many steps from its start (`step-00002000`), whose counters stay as they are.
`train --resume` then goes on with PyTorch's model in place of its own.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file

import torch_curve


def main():
    initial, state, checkpoint = map(pathlib.Path, sys.argv[1:])
    model = torch_curve.build(load_file(initial), 0.0)
    optimizer = torch_curve.torch_train.optimizer_of(model)
    state = torch.load(state)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    steps = json.loads((checkpoint / "training/state.json").read_text())["step"]
    assert steps == state["steps"], f"the run has taken {steps} steps, PyTorch {state['steps']}"
    torch_curve.export(model, initial, checkpoint / "model.safetensors")

    path = checkpoint / "training/optimiser.safetensors"
    moments = load_file(path)
    names = {"first": "exp_avg", "second": "exp_avg_sq"}
    for name, parameter in model.named_parameters():
        for ours, theirs in names.items():
            key = f"{ours}.{torch_curve.name_of(name)}"
            moment = optimizer.state[parameter][theirs]
            moments[key] = moment.reshape(moments[key].shape).contiguous()
    save_file(moments, path)


if __name__ == "__main__":
    main()
