// One piece as notes and pedals in seconds, whole or still growing.

export class Take {
  /** `notes` and `pedals` as the API gives them; of a prompt, or all there is. */
  constructor({ notes = [], pedals = [] } = {}) {
    this.notes = notes.slice().sort((a, b) => a.onset - b.onset);
    /** Pedal movements in their order. */
    this.pedals = [];
    for (const { onset, duration } of pedals) {
      this.movePedal(onset, true);
      this.movePedal(onset + duration, false);
    }
    /** When the last note ends. */
    this.seconds = 0;
    for (const note of this.notes) this.seconds = Math.max(this.seconds, note.onset + note.duration);
    this.longest = this.notes.reduce((longest, note) => Math.max(longest, note.duration), 0);
    /** Notes of the prompt, and where it ends. */
    this.promptNotes = 0;
    this.promptSeconds = 0;
    /** Up to here nothing more will come. */
    this.horizon = Infinity;
    /** The MIDI file, once there is one. */
    this.midi = null;
    /** The server's figures, once it is finished. */
    this.facts = null;
  }

  /** A piece that grows after a prompt. */
  static growing(prompt) {
    const take = new Take(prompt);
    take.promptNotes = take.notes.length;
    take.promptSeconds = take.notes.at(-1)?.onset ?? 0;
    take.horizon = take.promptSeconds;
    return take;
  }

  get done() {
    return this.horizon === Infinity;
  }

  addNote({ onset, duration, pitch, velocity }) {
    const note = { onset, duration, pitch, velocity };
    this.notes.splice(after(this.notes, onset), 0, note);
    this.longest = Math.max(this.longest, duration);
    this.seconds = Math.max(this.seconds, onset + duration);
    this.reach(onset);
  }

  addPedal({ onset, down }) {
    this.movePedal(onset, down);
  }

  /** What begins before a time has come. */
  reach(onset) {
    if (!this.done) this.horizon = Math.max(this.horizon, onset);
  }

  finish() {
    this.horizon = Infinity;
  }

  movePedal(onset, down) {
    this.pedals.splice(after(this.pedals, onset), 0, { onset, down });
  }

  /** Index of the first note that begins at a time or later. */
  from(seconds) {
    return before(this.notes, seconds);
  }

  /** Notes that are held at a time. */
  sounding(seconds) {
    const held = [];
    for (let at = this.from(seconds - this.longest); at < this.notes.length; at += 1) {
      const note = this.notes[at];
      if (note.onset > seconds) break;
      if (note.onset + note.duration > seconds) held.push(note);
    }
    return held;
  }

  pedalDown(seconds) {
    let down = 0;
    for (const pedal of this.pedals) {
      if (pedal.onset > seconds) break;
      down = Math.max(0, down + (pedal.down ? 1 : -1));
    }
    return down > 0;
  }

  /** Spans in which the pedal is down. */
  *pedalSpans() {
    let from = null;
    let down = 0;
    for (const pedal of this.pedals) {
      down = Math.max(0, down + (pedal.down ? 1 : -1));
      if (down > 0) from ??= pedal.onset;
      else if (from !== null) {
        yield [from, pedal.onset];
        from = null;
      }
    }
    if (from !== null) yield [from, Math.max(from, this.seconds)];
  }
}

/** Index of the first entry whose onset is not below a time. */
function before(entries, seconds) {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle].onset < seconds) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index after the last entry whose onset is not above a time. */
function after(entries, seconds) {
  let at = entries.length;
  while (at > 0 && entries[at - 1].onset > seconds) at -= 1;
  return at;
}
