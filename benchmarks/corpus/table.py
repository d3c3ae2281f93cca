"""What collections of piano MIDI files hold, as a table in Markdown.

python3 table.py path/to/tchaikovsky FOLDER...
"""

import json
import subprocess
import sys
from pathlib import Path

COLUMNS = [
    ("files", "{:d}"),
    ("hours", "{:.1f}"),
    ("notes", "{:,d}"),
    ("seconds a file (least, most)", "{}"),
    ("notes a second", "{}"),
    ("polyphony", "{}"),
    ("pitch range", "{}"),
    ("velocity", "{}"),
    ("velocity deviation in a file", "{}"),
    ("pedal down", "{}"),
    ("pedalled notes", "{}"),
    ("files without pedal", "{}"),
    ("onset intervals under 10 ms", "{}"),
    ("key held, seconds", "{}"),
    ("files of one tempo", "{}"),
    ("files that repeat a tenth of their patterns", "{}"),
]


def run(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def share(flags):
    flags = list(flags)
    return f"{100 * sum(flags) / len(flags):.0f} %"


def column(program, folder):
    report = json.loads(run(program, "evaluate", "--music", folder, "--no-structure", "--json"))["music"]
    figures, each = report["figures"], [piece["figures"] for piece in report["each"]]
    files = sorted(folder.rglob("*.mid"))
    lines = [run(program, "inspect", "--json", *files[start : start + 500]) for start in range(0, len(files), 500)]
    inspected = [json.loads(line) for text in lines for line in text.splitlines()]
    intervals = report["histograms"]["onset_interval"]

    def spread(name, unit="", scale=1, digits=2):
        values = figures[name]
        return f"{scale * values['mean']:.{digits}f} ± {scale * values['deviation']:.{digits}f}{unit}"

    seconds = figures["seconds"]
    return [
        report["pieces"],
        seconds["mean"] * seconds["pieces"] / 3600,
        round(figures["notes"]["mean"] * report["pieces"]),
        f"{seconds['mean']:.0f} ({seconds['least']:.0f}, {seconds['most']:.0f})",
        spread("note_density"),
        spread("polyphony"),
        spread("pitch_range", digits=0),
        spread("mean_velocity", digits=0),
        spread("velocity_deviation", digits=0),
        spread("pedal_time", " %", 100, 0),
        spread("pedalled_notes", " %", 100, 0),
        share(piece["pedal_time"] == 0 for piece in each),
        f"{100 * intervals[0] / sum(intervals):.0f} %",
        spread("mean_duration"),
        share(file["tempos"] <= 1 for file in inspected),
        share((piece["repetition"] or 0) > 0.1 for piece in each),
    ]


def main():
    program, folders = sys.argv[1], [Path(folder) for folder in sys.argv[2:]]
    columns = [column(program, folder) for folder in folders]
    print("| | " + " | ".join(folder.name for folder in folders) + " |")
    print("|---" * (len(folders) + 1) + "|")
    for row, (name, form) in enumerate(COLUMNS):
        print(f"| {name} | " + " | ".join(form.format(values[row]) for values in columns) + " |")


main()
