// Plays a take: where it is, how fast, and what comes next.

import { Sound } from "/page/sound.js";

/** Samples of a question. */
const BLOCK = 2048;
/** Seconds of sound that lie ready. */
const AHEAD = 0.25;
/** After the last note the strings may ring for so many seconds. */
const RING = 3;

export class Player {
  /**
   * `changed()` is called when it starts, stops or waits, `silenced(error)`
   * when it stopped because the piano is gone.
   */
  constructor(changed, silenced) {
    this.sound = new Sound((state) => this.heard(state), () => this.lost());
    this.changed = changed;
    this.silenced = silenced;
    this.take = null;
    this.playing = false;
    this.waiting = false;
    this.tempo = 1;
    /** Where it stands while it does not play, in seconds of music. */
    this.rest = 0;
    this.heardAt = 0;
    this.played = 0;
  }

  /** Puts another take in place; it stays where it is. */
  load(take, position = this.position) {
    const playing = this.playing;
    this.pause();
    this.take = take;
    this.rest = Math.max(0, position);
    if (playing) this.play().catch(() => {});
  }

  /** Where it is, in seconds of music. */
  get position() {
    if (!this.playing || this.blocks.length === 0) return this.rest;
    const since = (performance.now() - this.heardAt) / 1000;
    const ahead = this.waiting ? 0 : Math.min(since, 0.1);
    const frame = this.played + (ahead - this.sound.latency) * this.sound.rate;
    let block = this.blocks[0];
    for (const later of this.blocks) {
      if (later.frame > frame) break;
      block = later;
    }
    const within = Math.min(frame - block.frame, BLOCK) / this.sound.rate;
    return Math.max(this.from, block.music + within * block.tempo);
  }

  get isOver() {
    return this.take.done && this.next > this.take.seconds + RING;
  }

  async play(from = this.rest) {
    const take = this.take;
    if (!take) return;
    const end = take.done ? take.seconds : Infinity;
    this.rest = from >= end ? 0 : from;
    this.from = this.rest;
    this.playing = true;
    this.start(this.rest);
    this.changed();
    try {
      await this.sound.open();
    } catch (error) {
      if (this.playing && this.take === take) this.pause();
      throw error;
    }
    if (!this.playing || this.take !== take) return;
    // What was asked before the piano was there is asked now.
    this.start(this.rest);
    this.fill();
  }

  pause() {
    if (!this.playing) return;
    this.rest = this.position;
    this.playing = false;
    this.waiting = false;
    this.sound.begin();
    this.changed();
  }

  /** The piano is gone: goes on with another, if there is one. */
  lost() {
    if (!this.playing) return;
    this.pause();
    this.play().catch(this.silenced);
  }

  seek(seconds) {
    const position = Math.max(0, seconds);
    this.rest = position;
    if (this.playing) {
      this.from = position;
      this.start(position);
      this.fill();
    }
    this.changed();
  }

  /** A new stretch of sound from a time on. */
  start(from) {
    this.epoch = this.sound.begin();
    this.next = from;
    this.frame = 0;
    this.played = 0;
    this.blocks = [];
    this.held = [];
    this.pedalAt = 0;
    this.down = false;
    this.fresh = true;
  }

  heard({ epoch, played, missed }) {
    if (epoch !== this.epoch || !this.playing) return;
    this.played = played;
    this.missed = missed;
    this.heardAt = performance.now();
    while (this.blocks.length > 1 && this.blocks[1].frame < played - this.sound.rate) {
      this.blocks.shift();
    }
    if (this.isOver && played >= this.frame) {
      this.pause();
      this.rest = this.take.seconds;
      this.changed();
      return;
    }
    this.fill();
  }

  /** Asks for sound as far ahead as it may. */
  fill() {
    if (!this.playing || !this.sound.isOpen) return;
    const { rate } = this.sound;
    let waits = false;
    while (this.frame - this.played < AHEAD * rate && !this.isOver) {
      const length = (BLOCK / rate) * this.tempo;
      waits = this.next + length > this.take.horizon;
      if (waits) break;
      this.blocks.push({ frame: this.frame, music: this.next, tempo: this.tempo });
      this.sound.ask(BLOCK, this.events(this.next, this.next + length));
      this.next += length;
      this.frame += BLOCK;
    }
    const waiting = waits && this.frame <= this.played;
    if (waiting !== this.waiting) {
      this.waiting = waiting;
      this.changed();
    }
  }

  /** What happens from one time to another, at its samples. */
  events(from, to) {
    const events = [];
    const frame = (seconds) =>
      Math.round(Math.max(0, (seconds - from) / this.tempo) * this.sound.rate);
    const { notes } = this.take;
    if (this.fresh) {
      this.fresh = false;
      if (this.take.pedalDown(from)) this.movePedal(true, 0, events);
    }
    this.held = this.held.filter((note) => {
      if (note.end >= to) return true;
      events.push({ frame: frame(note.end), key: note.pitch, velocity: 0 });
      return false;
    });
    for (let at = this.take.from(from); at < notes.length && notes[at].onset < to; at += 1) {
      const { onset, duration, pitch, velocity } = notes[at];
      const end = onset + Math.max(duration, 0.01);
      events.push({ frame: frame(onset), key: pitch, velocity });
      if (end < to) events.push({ frame: frame(end), key: pitch, velocity: 0 });
      else this.held.push({ end, pitch });
    }
    for (const { onset, down } of this.take.pedals) {
      if (onset >= to) break;
      if (onset >= from) this.movePedal(down, frame(onset), events);
    }
    return events.sort((a, b) => a.frame - b.frame);
  }

  movePedal(down, frame, events) {
    if (down === this.down) return;
    this.down = down;
    events.push({ frame, pedal: down });
  }
}
