"""MidiTok's side of crates/corpus/examples/speed.rs: the same files, the same
tokenizer, one thread, the same stages. Prints the same JSON line."""

import json
import sys
import time
import warnings
from pathlib import Path

from miditok import REMI
from symusic import Score

warnings.filterwarnings("ignore")


def main():
    tokenizer = REMI(params=sys.argv[1])
    folder = Path(sys.argv[2])
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
    files = [path.read_bytes() for path in paths]

    clock = time.perf_counter()
    scores = [Score.from_midi(data) for data in files]
    read_seconds = time.perf_counter() - clock

    clock = time.perf_counter()
    encoded = [tokenizer.encode(score, encode_ids=False) for score in scores]
    encode_seconds = time.perf_counter() - clock
    base_tokens = sum(len(track.ids) for tracks in encoded for track in tracks)

    clock = time.perf_counter()
    for tracks in encoded:
        tokenizer.encode_token_ids(tracks)
    bpe_seconds = time.perf_counter() - clock

    print(json.dumps({
        "files": len(files),
        "notes": sum(score.note_num() for score in scores),
        "base_tokens": base_tokens,
        "ids": sum(len(track.ids) for tracks in encoded for track in tracks),
        "read_seconds": read_seconds,
        "encode_seconds": encode_seconds,
        "bpe_seconds": bpe_seconds,
    }))


main()
