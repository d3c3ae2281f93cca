// A keyboard that lights up.

import { named, velocityColour } from "/page/colours.js";

const [LOWEST, HIGHEST] = [21, 108];
const BLACK = new Set([1, 3, 6, 8, 10]);

const isBlack = (pitch) => BLACK.has(pitch % 12);

/** White keys below a key. */
function whites(pitch) {
  let count = 0;
  for (let key = LOWEST; key < pitch; key += 1) count += isBlack(key) ? 0 : 1;
  return count;
}

export class Keyboard {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.shown = "";
    new ResizeObserver(() => this.refresh()).observe(canvas);
  }

  refresh() {
    this.shown = "";
  }

  /** Lights the keys of the notes; `pedal` tells whether it is down. */
  draw(notes, pedal) {
    const lit = new Map(notes.map(({ pitch, velocity }) => [pitch, velocity]));
    const shown = JSON.stringify([[...lit], pedal]);
    if (shown === this.shown) return;
    this.shown = shown;
    const { canvas, context } = this;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const key = width / whites(HIGHEST + 1);
    const tall = height - 5;
    for (let pitch = LOWEST; pitch <= HIGHEST; pitch += 1) {
      if (isBlack(pitch)) continue;
      context.fillStyle = lit.has(pitch) ? velocityColour(lit.get(pitch)) : named("white-key");
      context.fillRect(whites(pitch) * key, 0, key - 0.75, tall);
    }
    for (let pitch = LOWEST; pitch <= HIGHEST; pitch += 1) {
      if (!isBlack(pitch)) continue;
      const left = whites(pitch) * key - 0.31 * key;
      context.fillStyle = named("black-key");
      context.fillRect(left, 0, 0.62 * key, 0.62 * tall);
      if (!lit.has(pitch)) continue;
      context.fillStyle = velocityColour(lit.get(pitch));
      context.fillRect(left + 0.5, 0, 0.62 * key - 1, 0.62 * tall - 1);
    }
    context.fillStyle = pedal ? named("accent") : named("line");
    context.fillRect(0, height - 3, width, 3);
  }
}
