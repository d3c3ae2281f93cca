"""Loss curves of runs over one another: means of 50 steps, as lines and as a picture.

    curves.py NAME=RUN... --lines CURVES.jsonl --picture CURVES.svg

RUN is a folder that `train --out` wrote; all runs saw the same examples in the same
order. Prints how far each lies from the first.
"""

import argparse
import json
import pathlib
import statistics

SPAN = 50
COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"]
WIDTH, HEIGHT, EDGE = 900, 420, 50


def read(folder):
    lines = [json.loads(line) for line in (pathlib.Path(folder) / "metrics.jsonl").open()]
    losses = [line["loss"] for line in lines if "loss" in line]
    validation = {line["step"]: line["validation_loss"] for line in lines if "validation_loss" in line}
    return losses, validation


def picture(curves):
    """Polylines over step (across) and loss (up)."""
    values = [y for points in curves.values() for _, y in points]
    low, high = min(values), max(values)
    last = max(x for points in curves.values() for x, _ in points)
    across = lambda x: EDGE + x / last * (WIDTH - 2 * EDGE)
    up = lambda y: HEIGHT - EDGE - (y - low) / (high - low) * (HEIGHT - 2 * EDGE)
    text = '<text x="{:.0f}" y="{:.0f}" font-family="sans-serif" font-size="13" fill="{}">{}</text>'
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">']
    out.append(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>')
    for step in range(0, last + 1, 500):
        out.append(text.format(across(step) - 12, HEIGHT - EDGE + 20, "#333", step))
    for loss in range(int(low) + 1, int(high) + 1):
        out.append(text.format(EDGE - 22, up(loss) + 4, "#333", loss))
        out.append(
            f'<path d="M{EDGE} {up(loss):.1f}H{WIDTH - EDGE}" stroke="#ddd" fill="none"/>'
        )
    for i, (name, points) in enumerate(curves.items()):
        path = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in points)
        # Wide below, narrow on top, so that curves in one place are all seen.
        width = 2 * (len(curves) - i)
        out.append(f'<path d="M{path}" stroke="{COLOURS[i]}" stroke-width="{width}" fill="none"/>')
        out.append(text.format(WIDTH - 220, EDGE + 20 * i, COLOURS[i], name))
    return "\n".join([*out, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    parser.add_argument("--lines", type=pathlib.Path, required=True)
    parser.add_argument("--picture", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    runs = {name: read(folder) for name, folder in (run.split("=", 1) for run in arguments.runs)}
    curves = {}
    with arguments.lines.open("w") as lines:
        for name, (losses, validation) in runs.items():
            means = [
                (i + SPAN, statistics.mean(losses[i : i + SPAN])) for i in range(0, len(losses), SPAN)
            ]
            curves[name] = means
            rounded = [round(y, 5) for _, y in means]
            lines.write(json.dumps({"run": name, "span": SPAN, "loss": rounded, "validation": validation}) + "\n")
    arguments.picture.write_text(picture(curves))
    first = next(iter(runs))
    for name, (losses, validation) in runs.items():
        apart = [a - b for a, b in zip(losses, runs[first][0])]
        half = apart[len(apart) // 2 :]
        print(
            f"{name}: from {first} in the second half {statistics.mean(half):+.4f} on average,"
            f" {statistics.pstdev(half):.4f} deviation a step; validation {validation}"
        )


if __name__ == "__main__":
    main()
