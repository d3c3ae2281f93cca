"""Holds the binary against MidiTok, symusic and mido; see run.sh."""

import json
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import mido
from miditok import REMI, TokenizerConfig
from symusic import Score

import sample

warnings.filterwarnings("ignore")
SEED = 7
REAL_FILES = 60
CONFIGURATIONS = {
    "default": {},
    "seed": {"num_velocities": 16, "use_time_signatures": False},
    "rich": {
        "use_chords": True,
        "chord_tokens_with_root_note": True,
        "chord_unknown": (3, 6),
        "use_rests": True,
        "use_tempos": True,
        "log_tempos": True,
        "remove_duplicated_notes": True,
        "use_bar_end_tokens": True,
        "delete_equal_successive_tempo_changes": True,
        "time_signature_range": {16: [5], 8: [3, 6, 7, 12], 4: [1, 2, 3, 4, 5], 2: [2]},
    },
    "performance": {
        "beat_res": {(0, 2): 32, (2, 4): 16, (4, 12): 8},
        "use_sustain_pedals": True,
        "use_time_signatures": False,
    },
    "pedal-spans": {"use_sustain_pedals": True, "sustain_pedal_duration": True},
}


class Checks:
    """Counts what was compared and prints what differs."""

    def __init__(self):
        self.done, self.failed = 0, 0

    def equal(self, what, ours, theirs):
        self.done += 1
        if ours != theirs:
            self.failed += 1
            place = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), None)
            print(f"DIFFERENT {what}: {len(ours)} and {len(theirs)} long, first at {place}")


def call(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))[:300]}\nfailed: {done.stderr}")
    return done.stdout


def encode(binary, tokenizer, paths):
    lines = call(binary, "encode", "--tokenizer", tokenizer, *paths).splitlines()
    return {line["file"]: line["ids"] for line in map(json.loads, lines)}


def their_ids(tokenizer, path):
    return [track.ids for track in tokenizer.encode(path)]


def their_notes(score):
    return [
        sorted((note.start, note.duration, note.pitch, note.velocity) for note in track.notes)
        for track in score.tracks
        if len(track.notes) > 0
    ]


def as_midi_tells(track):
    """Of overlapping notes of one pitch the earliest ends first, in any file."""
    told = []
    for pitch in {note[2] for note in track}:
        notes = sorted(note for note in track if note[2] == pitch)
        ends = sorted(onset + duration for onset, duration, *_ in notes)
        told += [(note[0], end - note[0], *note[2:]) for note, end in zip(notes, ends)]
    return sorted(told)


def mido_notes(path):
    """Notes of each track, ended first in, first out, as mido's messages tell."""
    tracks = []
    for track in mido.MidiFile(path).tracks:
        now, open_notes, notes = 0, {}, []
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity > 0:
                open_notes.setdefault(message.note, []).append((now, message.velocity))
            elif message.type in ("note_on", "note_off") and open_notes.get(message.note):
                onset, velocity = open_notes[message.note].pop(0)
                notes.append((onset, now - onset, message.note, velocity))
        if notes:
            tracks.append(sorted(notes))
    return tracks


def compare_tokens(binary, work, checks, piano, others):
    for name, parameters in CONFIGURATIONS.items():
        tokenizer = REMI(TokenizerConfig(**parameters))
        folder = work / name
        tokenizer.save(folder)
        with_pedals = parameters.get("use_sustain_pedals", False)
        # MidiTok has no pedal token for programs other than the first.
        paths = piano if with_pedals else piano + others
        ids = encode(binary, folder / "tokenizer.json", paths)
        for path in paths:
            checks.equal(f"ids {name} {path}", ids[str(path)], their_ids(tokenizer, path))


def compare_training(binary, work, checks, piano, others):
    ours = work / "ours.json"
    arguments = ["--midis-dir", piano[0].parent, "--out-dir", work / "dataset"]
    arguments += ["--out-tokenizer", ours, "--vocab-size", 600, "--valid-proportion", 0]
    call(binary, "tokenize", *arguments)
    theirs = REMI(TokenizerConfig(**CONFIGURATIONS["seed"]))
    theirs.train(vocab_size=600, files_paths=sorted(piano))
    theirs.save(work / "theirs")
    models = [
        json.loads(json.loads(path.read_text())["_model"])["model"]
        for path in (ours, work / "theirs" / "tokenizer.json")
    ]
    checks.equal("merges", models[0]["merges"], models[1]["merges"])
    checks.equal("vocabulary", sorted(models[0]["vocab"].items()), sorted(models[1]["vocab"].items()))
    loaded = REMI(params=ours)
    paths = piano + others
    with_ours = encode(binary, ours, paths)
    with_theirs = encode(binary, work / "theirs" / "tokenizer.json", paths)
    for path in paths:
        expected = their_ids(theirs, path)
        checks.equal(f"BPE ids {path}", with_ours[str(path)], expected)
        checks.equal(f"BPE ids with MidiTok's file {path}", with_theirs[str(path)], expected)
        checks.equal(f"BPE ids in MidiTok with our file {path}", their_ids(loaded, path), expected)
    return ours, loaded, with_ours


def compare_decoding(binary, work, checks, tokenizer_file, tokenizer, ids, rng):
    sequences = dict(list(ids.items())[:20])
    for index in range(20):
        made_up = [rng.randrange(len(tokenizer)) for _ in range(300)]
        sequences[f"made up {index}"] = [made_up]
    for name, tracks in sequences.items():
        source, out = work / "ids.json", work / "decoded.mid"
        source.write_text(json.dumps({"ids": tracks}))
        call(binary, "decode", "--tokenizer", tokenizer_file, source, "--out", out)
        theirs = [as_midi_tells(track) for track in their_notes(tokenizer.decode(tracks))]
        checks.equal(f"decoded {name}", their_notes(Score(out)), theirs)
        checks.equal(f"written {name}", mido_notes(out), their_notes(Score(out)))


def main():
    binary, work = sys.argv[1], Path(sys.argv[2])
    rng = random.Random(SEED)
    piano = sample.write(work / "piano", 40, sample.piano, SEED)
    others = sample.write(work / "ensemble", 40, sample.ensemble, SEED)
    if folder := os.environ.get("INTEROP_MIDIS"):
        found = sorted(Path(folder).rglob("*.mid")) + sorted(Path(folder).rglob("*.midi"))
        others += rng.sample(found, min(REAL_FILES, len(found)))
    checks = Checks()
    compare_tokens(binary, work, checks, piano, others)
    trained = compare_training(binary, work, checks, piano, others)
    compare_decoding(binary, work, checks, *trained, rng)
    print(f"interop: {checks.done} comparisons, {checks.failed} different")
    sys.exit(1 if checks.failed else 0)


main()
