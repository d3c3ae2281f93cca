"""The whole of `tchaikovsky tokenize` with MidiTok, as the seed project does it:
train the tokenizer on all files, then tokenise them. Prints a JSON line."""

import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

from miditok import REMI, TokenizerConfig

warnings.filterwarnings("ignore")


def main():
    folder, vocab_size = Path(sys.argv[1]), int(sys.argv[2])
    clock = time.perf_counter()
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
    tokenizer = REMI(TokenizerConfig(num_velocities=16, use_time_signatures=False))
    tokenizer.train(vocab_size=vocab_size, files_paths=paths)
    train_seconds = time.perf_counter() - clock
    with tempfile.TemporaryDirectory() as out:
        tokenizer.tokenize_dataset(paths, out)
    print(json.dumps({
        "files": len(paths),
        "vocabulary": len(tokenizer),
        "train_seconds": train_seconds,
        "seconds": time.perf_counter() - clock,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
