"""Pieces of a model, described beside the validation pieces.

    sample.py settings TCHAIKOVSKY MODEL DATASET OUT.jsonl [--pieces 200]
    sample.py figures  TCHAIKOVSKY MODEL DATASET OUT.jsonl --midis MIDIS [--pieces 200]

`settings` makes unconditional pieces with each of several sampler settings and prints
a table; `figures` makes unconditional pieces and continuations of the first 20 seconds
of validation pieces, both with the program's defaults, and describes them. All pieces
are at most 60 seconds long; the validation pieces are cut to 60 seconds. Every
report goes to OUT.jsonl, a line each.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

SECONDS = 60
PROMPT_SECONDS = 20
TOGETHER = 50

SETTINGS = [
    *(f"--top-p {p}" for p in (1, 0.99, 0.98, 0.97, 0.95)),
    "--temperature 1.05 --top-p 0.98",
    "--temperature 1.05 --top-p 0.97",
]


def call(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{arguments}\n{done.stderr}")
    return done.stdout


def unconditional(binary, model, count, options, folder):
    """`count` pieces from nothing, several at once."""
    for first in range(0, count, TOGETHER):
        call(
            binary, "generate", "--model", model, "--seconds", SECONDS, *options.split(),
            "--num-samples", min(TOGETHER, count - first), "--seed", 1000 + first,
            "--output-file", folder / f"from-{first}.mid",
        )


def continuations(binary, model, dataset, midis, count, folder):
    """What follows the first seconds of validation pieces, without these."""
    pieces = [json.loads(line) for line in (dataset / "pieces.jsonl").open()]
    long_enough = lambda piece: piece["seconds"] > PROMPT_SECONDS + 10
    valid = [p["source"] for p in pieces if p["split"] == "valid" and long_enough(p)]
    for index in range(count):
        call(
            binary, "generate", "--model", model, "--seconds", SECONDS,
            "--prompt-midi", midis / valid[index % len(valid)],
            "--prompt-seconds", PROMPT_SECONDS, "--output-generated-only",
            "--seed", 1000 + index, "--output-file", folder / f"{index:03}.mid",
        )


def describe(binary, folder, dataset, *options):
    return json.loads(call(
        binary, "evaluate", "--music", folder, "--reference", dataset,
        "--training", dataset, "--first-seconds", SECONDS, "--json", *options,
    ))


def row(name, report):
    """A line of the table: how alike notes and pieces are, and what went wrong."""
    music, likeness = report["music"], report["likeness"]
    notes = [both["notes"]["overlapping_area"] for both in likeness["histograms"].values()]
    figures = {
        name: value["overlapping_area"]
        for name, value in likeness["figures"].items()
        if value and name not in ("notes", "seconds")
    }
    mean = lambda figure: music["figures"][figure]["mean"]
    short = sum(piece["figures"]["seconds"] < SECONDS / 2 for piece in music["each"])
    runs = music["longest_copied_run"]
    return (
        f"| {name} | {mean('note_density'):.1f} | {mean('polyphony'):.2f} "
        f"| {mean('mean_velocity'):.0f} | {mean('pitch_class_entropy'):.2f} "
        f"| {mean('scale_consistency'):.3f} | {100 * mean('repetition'):.1f} % "
        f"| {len(music['stuck'])} | {short} | {runs['mean']:.1f} "
        f"| {statistics.mean(notes):.3f} | {statistics.mean(figures.values()):.3f} |"
    )


HEAD = """\
| setting | notes/s | polyphony | velocity | pitch classes, bits | in scale | repeated \
| stuck | under 30 s | copied run | overlap of notes | overlap of pieces |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def reference_row(report):
    music = {**report["reference"], "each": []}
    ones = {name: {"overlapping_area": 1.0} for name in report["likeness"]["figures"]}
    same = {"notes": {"overlapping_area": 1.0}}
    likeness = {"figures": ones, "histograms": {name: same for name in report["likeness"]["histograms"]}}
    return row("validation pieces", {"music": music, "likeness": likeness})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["settings", "figures"])
    for name in ("tchaikovsky", "model", "dataset", "out"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--midis", type=pathlib.Path)
    parser.add_argument("--pieces", type=int, default=200)
    parser.add_argument("--keep", type=pathlib.Path, help="leave the pieces of `figures` here")
    arguments = parser.parse_args()
    binary, model, dataset = arguments.tchaikovsky.resolve(), arguments.model, arguments.dataset
    print(HEAD)
    with tempfile.TemporaryDirectory() as place, arguments.out.open("w") as out:
        base = arguments.keep or pathlib.Path(place)

        def report(name, folder, *options):
            found = describe(binary, folder, dataset, *options)
            if not out.tell():
                print(reference_row(found))
            print(row(name, found), flush=True)
            json.dump({"setting": name, **found}, out)
            out.write("\n")
            out.flush()

        if arguments.what == "settings":
            for number, options in enumerate(SETTINGS):
                folder = base / str(number)
                unconditional(binary, model, arguments.pieces, options, folder)
                report(options, folder, "--no-structure")
            return
        unconditional(binary, model, arguments.pieces, "", base / "unconditional")
        report("unconditional", base / "unconditional")
        continuations(binary, model, dataset, arguments.midis, arguments.pieces, base / "continued")
        report("continued", base / "continued")


if __name__ == "__main__":
    main()
