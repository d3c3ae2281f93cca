"""Writes an untrained checkpoint of the shape of the original's published model.

With a clone of https://github.com/vvvm23/TchAIkovsky and the versions of
crates/model/tests/fixtures/orbax/requirements.txt:

    PYTHONPATH=TchAIkovsky python checkpoint.py FOLDER
"""

import json
import sys
from pathlib import Path

import equinox as eqx
import jax
import orbax.checkpoint as ocp
from model import TchAIkovskyModel

folder = Path(sys.argv[1]).resolve()
folder.mkdir(parents=True)
shape = dict(dim=768, num_layers=12, vocab_size=10_000, head_dim=64, dropout=0.1)
model = TchAIkovskyModel(**shape, num_heads=12, max_positions=1024, key=jax.random.PRNGKey(1))
checkpointer = ocp.AsyncCheckpointer(ocp.StandardCheckpointHandler())
checkpointer.save(folder / "checkpoint-001.eqx", eqx.filter([model], eqx.is_inexact_array))
checkpointer.wait_until_finished()
config = shape | dict(heads=12, max_sequence_length=1024, use_bf16=False)
(folder / "config.json").write_text(json.dumps(config))
