// The pieces of this session: which is shown, undo and redo, variations.

import { velocityColour } from "/page/colours.js";
import { range } from "/page/roll.js";

const MOST = 60;

/**
 * A step of the session: a source (nothing, an example, a file) or what was
 * generated. `takes` are its variations, `chosen` the one that is heard.
 */
export class Step {
  constructor(title, takes, { source = null, request = null } = {}) {
    this.title = title;
    this.takes = takes;
    this.chosen = 0;
    this.source = source;
    this.request = request;
    this.seed = request?.seed ?? null;
  }

  get take() {
    return this.takes[this.chosen];
  }

  get isGenerated() {
    return this.request !== null;
  }
}

export class Session {
  /** `shown(step)` is called when another step or variation is to be shown. */
  constructor(shown) {
    this.shown = shown;
    this.steps = [];
    /** Indices for undo and redo. */
    this.past = [];
    this.future = [];
    this.at = -1;
  }

  get step() {
    return this.steps[this.at];
  }

  /** Adds a step and shows it. */
  add(step) {
    if (this.step) this.past.push(this.step);
    this.future = [];
    this.steps.push(step);
    if (this.steps.length > MOST) {
      const [gone] = this.steps.splice(0, 1);
      this.past = this.past.filter((other) => other !== gone);
    }
    this.at = this.steps.length - 1;
    this.shown(step);
  }

  /** Takes a step away that came to nothing. */
  remove(step) {
    const shown = this.step;
    this.steps = this.steps.filter((other) => other !== step);
    this.past = this.past.filter((other) => other !== step);
    this.future = this.future.filter((other) => other !== step);
    if (shown === step) {
      const back = this.past.pop() ?? this.steps.at(-1);
      this.at = this.steps.indexOf(back);
    } else {
      this.at = this.steps.indexOf(shown);
    }
    this.shown(this.step);
  }

  show(step) {
    if (step === this.step) return;
    if (this.step) this.past.push(this.step);
    this.future = [];
    this.at = this.steps.indexOf(step);
    this.shown(step);
  }

  undo() {
    this.move(this.past, this.future);
  }

  redo() {
    this.move(this.future, this.past);
  }

  move(from, to) {
    const step = from.pop();
    if (!step) return;
    to.push(this.step);
    this.at = this.steps.indexOf(step);
    this.shown(step);
  }

  choose(variation) {
    if (!this.step?.takes[variation]) return;
    this.step.chosen = variation;
    this.shown(this.step);
  }

  /** Writes the list of the pieces that were made. */
  list(list) {
    const made = this.steps.filter((step) => step.isGenerated || step.source?.midi);
    const items = made.map((step) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-current", String(step === this.step));
      const title = document.createElement("b");
      title.textContent = step.title;
      const facts = document.createElement("span");
      facts.textContent = describe(step);
      button.append(title, facts);
      button.addEventListener("click", () => this.show(step));
      const item = document.createElement("li");
      item.append(button);
      return item;
    });
    list.replaceChildren(...items.reverse());
    return items.length;
  }
}

/** Minutes and seconds. */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function describe(step) {
  const { take } = step;
  const parts = [`${take.notes.length} notes`, clock(take.seconds)];
  if (step.seed !== null) parts.push(`seed ${step.seed + step.chosen}`);
  if (step.takes.length > 1) parts.push(`variation ${step.chosen + 1} of ${step.takes.length}`);
  if (!take.done) parts.push("being made");
  return parts.join(" · ");
}

/** Small pictures of the variations, to choose from. */
export class Variations {
  constructor(group, choose) {
    this.group = group;
    this.choose = choose;
  }

  show(step) {
    const several = (step?.takes.length ?? 0) > 1;
    this.group.hidden = !several;
    if (!several) {
      this.group.replaceChildren();
      this.step = null;
      return;
    }
    if (this.step !== step) this.build(step);
    this.group.querySelectorAll("button").forEach((button, index) => {
      button.setAttribute("aria-checked", String(index === step.chosen));
      button.tabIndex = index === step.chosen ? 0 : -1;
    });
  }

  build(step) {
    this.step = step;
    const buttons = step.takes.map((_, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("role", "radio");
      const text = document.createElement("span");
      button.append(document.createElement("canvas"), text);
      button.addEventListener("click", () => this.choose(index));
      button.addEventListener("keydown", ({ key }) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
        if (!by) return;
        const next = (index + by + step.takes.length) % step.takes.length;
        this.choose(next);
        this.group.children[next].focus();
      });
      return button;
    });
    this.group.replaceChildren(...buttons);
  }

  /** Draws the small pictures anew. */
  draw() {
    if (!this.step) return;
    const most = Math.max(...this.step.takes.map((take) => take.seconds), 1);
    this.step.takes.forEach((take, index) => {
      const button = this.group.children[index];
      const [canvas, text] = button.children;
      text.textContent = `${index + 1}: ${take.notes.length - take.promptNotes} new notes`;
      const [width, height] = [canvas.clientWidth, canvas.clientHeight];
      canvas.width = width * 2;
      canvas.height = height * 2;
      const context = canvas.getContext("2d");
      context.scale(2, 2);
      const [low, high] = range(take);
      take.notes.forEach((note, at) => {
        context.fillStyle = velocityColour(note.velocity);
        context.globalAlpha = at < take.promptNotes ? 0.4 : 1;
        const length = Math.max(1, (note.duration / most) * width);
        const y = ((high - note.pitch) / (high - low + 1)) * height;
        context.fillRect((note.onset / most) * width, y, length, Math.max(1, height / 40));
      });
    });
  }
}
