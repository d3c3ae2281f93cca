// The piano roll: notes by time and pitch, the pedal below, prompt and playhead.

import { named, velocityColour } from "/page/colours.js";

const SECONDS_LANE = 20;
const PEDAL_LANE = 12;
const LEFT = 30;
const BLACK = new Set([1, 3, 6, 8, 10]);
/** Pixels a second, least and most. */
const SCALES = [2, 600];
const CLICK = 5;

export class Roll {
  /** `on.seek(seconds)`, `on.prompt(seconds)` and `on.view()` are called back. */
  constructor(canvas, on) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.on = on;
    this.take = null;
    this.position = 0;
    /** Where a continuation would begin; null where there is no choice. */
    this.prompt = null;
    this.start = 0;
    this.scale = 40;
    /** Whether all is to be seen, also as it grows. */
    this.fits = true;
    this.dirty = true;
    this.listen();
    new ResizeObserver(() => this.refresh()).observe(canvas);
  }

  load(take) {
    this.take = take;
    this.fit();
  }

  refresh() {
    this.dirty = true;
  }

  get width() {
    return Math.max(1, this.canvas.clientWidth - LEFT);
  }

  get length() {
    return Math.max(4, this.take?.seconds ?? 0, this.expected ?? 0);
  }

  /** Shows the whole piece. */
  fit() {
    this.fits = true;
    this.refresh();
  }

  /** Zooms around a second, which stays where it is. */
  zoom(factor, around = this.position) {
    const at = Math.min(Math.max((around - this.start) * this.scale, 0), this.width);
    this.fits = false;
    this.scale = Math.min(Math.max(this.scale * factor, SCALES[0]), SCALES[1]);
    this.pan(around - at / this.scale);
  }

  pan(start) {
    this.fits = false;
    const last = this.length - (0.5 * this.width) / this.scale;
    this.start = Math.max(0, Math.min(start, last));
    this.refresh();
  }

  /** Moves along with the playhead. */
  follow(position) {
    this.position = position;
    this.refresh();
    if (this.fits || this.grip) return;
    const span = this.width / this.scale;
    if (position < this.start || position > this.start + 0.9 * span) {
      this.start = Math.max(0, position - 0.15 * span);
    }
  }

  x(seconds) {
    return LEFT + (seconds - this.start) * this.scale;
  }

  secondsAt(x) {
    return this.start + (x - LEFT) / this.scale;
  }

  listen() {
    const { canvas } = this;
    const place = (event) => event.clientX - canvas.getBoundingClientRect().left;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.take || event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      const x = place(event);
      const onPrompt = this.prompt !== null && Math.abs(this.x(this.prompt) - x) < 12;
      this.grip = { from: x, start: this.start, moved: false, onPrompt };
    });
    canvas.addEventListener("pointermove", (event) => {
      const { grip } = this;
      if (!grip) return;
      const x = place(event);
      grip.moved ||= Math.abs(x - grip.from) > CLICK;
      if (!grip.moved) return;
      if (grip.onPrompt) this.on.prompt(this.secondsAt(x));
      else this.pan(grip.start - (x - grip.from) / this.scale);
    });
    canvas.addEventListener("pointerup", (event) => {
      const { grip } = this;
      this.grip = null;
      if (grip && !grip.moved) this.on.seek(Math.max(0, this.secondsAt(place(event))));
    });
    canvas.addEventListener("pointercancel", () => {
      this.grip = null;
    });
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!this.take) return;
        if (event.ctrlKey || event.metaKey) {
          this.zoom(Math.exp(-event.deltaY / 200), this.secondsAt(place(event)));
        } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
          this.pan(this.start + (event.deltaX || event.deltaY) / this.scale);
        } else {
          return;
        }
        event.preventDefault();
      },
      { passive: false },
    );
  }

  /** Draws, where something has changed. */
  draw() {
    if (!this.dirty) return;
    this.dirty = false;
    const { canvas, context } = this;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.fits) {
      this.start = 0;
      this.scale = Math.min(this.width / (this.length * 1.02), SCALES[1]);
    }
    this.paint(context, width, height);
  }

  paint(context, width, height) {
    const [low, high] = range(this.take);
    const bottom = height - SECONDS_LANE - PEDAL_LANE;
    const row = bottom / (high - low + 1);
    const y = (pitch) => (high - pitch) * row;
    context.fillStyle = named("paper");
    context.fillRect(0, 0, width, height);
    context.fillStyle = named("black-row");
    for (let pitch = low; pitch <= high; pitch += 1) {
      if (BLACK.has(pitch % 12)) context.fillRect(LEFT, y(pitch), width, row);
    }
    this.paintPrompt(context, bottom);
    this.paintGrid(context, width, height, bottom, low, high, y, row);
    if (this.take) {
      context.save();
      context.beginPath();
      context.rect(LEFT, 0, width - LEFT, height);
      context.clip();
      this.paintPedal(context, bottom);
      this.paintNotes(context, width, y, row);
      this.paintLines(context, height, bottom);
      context.restore();
    }
  }

  paintPrompt(context, bottom) {
    const until = this.prompt ?? this.take?.promptSeconds ?? 0;
    if (until <= 0) return;
    context.fillStyle = named("prompt");
    const left = Math.max(LEFT, this.x(0));
    context.fillRect(left, 0, Math.max(0, this.x(until) - left), bottom + PEDAL_LANE);
  }

  paintGrid(context, width, height, bottom, low, high, y, row) {
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (let pitch = low; pitch <= high; pitch += 1) {
      if (pitch % 12 !== 0) continue;
      const line = Math.round(y(pitch) + row) - 0.5;
      context.fillStyle = named("line");
      context.fillRect(LEFT, line, width, 1);
      if (line - row / 2 > bottom - 9) continue;
      context.fillStyle = named("label");
      context.textAlign = "right";
      context.fillText(`C${pitch / 12 - 1}`, LEFT - 5, line - row / 2);
    }
    const step = [0.5, 1, 2, 5, 10, 20, 30, 60, 120].find((s) => s * this.scale >= 55) ?? 300;
    context.textAlign = "center";
    const end = this.secondsAt(width);
    for (let at = Math.ceil(this.start / step) * step; at <= end; at += step) {
      context.fillStyle = named("line");
      context.fillRect(Math.round(this.x(at)), 0, 1, bottom + PEDAL_LANE);
      context.fillStyle = named("label");
      const minutes = Math.floor(at / 60);
      const seconds = step < 1 ? (at % 60).toFixed(1) : Math.round(at % 60);
      const text = `${minutes}:${String(seconds).padStart(2, "0")}`;
      // A label that the edge would cut is left out.
      if (this.x(at) + context.measureText(text).width / 2 > width) continue;
      context.fillText(text, this.x(at), height - SECONDS_LANE / 2);
    }
    context.fillStyle = named("label");
    context.textAlign = "right";
    context.fillText("ped", LEFT - 5, bottom + PEDAL_LANE / 2);
  }

  paintPedal(context, bottom) {
    context.fillStyle = named("pedal");
    for (const [from, to] of this.take.pedalSpans()) {
      const x = this.x(from);
      context.fillRect(x, bottom + 3, Math.max(1, this.x(to) - x - 1), PEDAL_LANE - 6);
    }
  }

  paintNotes(context, width, y, row) {
    const { take } = this;
    const end = this.secondsAt(width);
    const height = Math.max(1.5, row - (row > 4 ? 1 : 0));
    const outline = named("ink");
    for (let at = take.from(this.start - take.longest); at < take.notes.length; at += 1) {
      const note = take.notes[at];
      if (note.onset > end) break;
      const x = this.x(note.onset);
      const length = Math.max(2, note.duration * this.scale - 0.5);
      const faint = this.prompt === null ? at < take.promptNotes : note.onset >= this.prompt;
      context.globalAlpha = faint ? 0.45 : 1;
      context.fillStyle = velocityColour(note.velocity);
      context.fillRect(x, y(note.pitch), length, height);
      const sounds = this.position >= note.onset && this.position < note.onset + note.duration;
      if (sounds && this.position > 0) {
        context.strokeStyle = outline;
        context.strokeRect(x + 0.5, y(note.pitch) + 0.5, length - 1, Math.max(1, height - 1));
      }
    }
    context.globalAlpha = 1;
  }

  paintLines(context, height, bottom) {
    if (this.prompt !== null || this.take.promptNotes > 0) {
      const x = this.x(this.prompt ?? this.take.promptSeconds);
      context.strokeStyle = named("ink");
      context.setLineDash([5, 4]);
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, bottom + PEDAL_LANE);
      context.stroke();
      context.setLineDash([]);
      if (this.prompt !== null) {
        context.fillStyle = named("ink");
        context.beginPath();
        context.roundRect(x - 5, bottom / 2 - 18, 10, 36, 4);
        context.fill();
      }
    }
    context.fillStyle = named("accent");
    const x = this.x(this.position);
    context.fillRect(x - 1, 0, 2, height - SECONDS_LANE);
    context.beginPath();
    context.moveTo(x - 6, 0);
    context.lineTo(x + 6, 0);
    context.lineTo(x, 9);
    context.fill();
  }
}

/** Lowest and highest pitch to show: the piece's, in whole octaves. */
export function range(take) {
  let [low, high] = [48, 83];
  for (const { pitch } of take?.notes ?? []) {
    low = Math.min(low, pitch);
    high = Math.max(high, pitch);
  }
  return [Math.floor(low / 12) * 12, Math.ceil((high + 1) / 12) * 12 - 1];
}
