// One generation after the other: from a prompt to a step of the session.

import * as api from "/page/api.js";
import { Step } from "/page/session.js";
import { Take } from "/page/take.js";

/** Seconds of the prompt that are heard before what is new. */
const LEAD_IN = 3;

export class Composer {
  constructor({ session, player, tell, changed }) {
    Object.assign(this, { session, player, tell, changed });
    /** The generation that goes on. */
    this.work = null;
  }

  get isBusy() {
    return this.work !== null;
  }

  /** Asks for music; `title` names the step. Ends when the music is made. */
  async compose(request, title) {
    if (this.isBusy) return;
    const work = { abort: new AbortController(), id: null, step: null, request, title };
    this.work = work;
    this.player.pause();
    this.player.sound.open().catch(() => {});
    this.tell("Asking the model …");
    this.changed();
    try {
      await api.generate(request, (name, data) => this.event(work, name, data), work.abort.signal);
    } catch (error) {
      if (error.name !== "AbortError") this.tell(error.message, error);
    } finally {
      this.work = null;
      this.end(work);
      this.changed();
    }
  }

  /** Ends the generation; what is there stays. */
  async stop() {
    const { work } = this;
    if (!work) return;
    if (!work.step) {
      work.abort.abort();
      this.tell("Not begun.");
      return;
    }
    try {
      await api.stop(work.id);
    } catch {
      work.abort.abort();
    }
  }

  event(work, name, data) {
    const take = work.step?.takes[data.variation];
    switch (name) {
      case "queued":
        work.id = data.id;
        if (data.place > 0) {
          this.tell(data.place === 1 ? "One piece comes before yours …" : `${data.place} pieces come before yours …`);
        }
        break;
      case "begin":
        this.begin(work, data);
        break;
      case "note":
        take?.addNote(data);
        if (take === work.step.take) this.sounds(work, data);
        break;
      case "pedal":
        take?.addPedal(data);
        break;
      case "piece":
        this.finish(take, data);
        break;
      case "done":
        this.done(work, data);
        break;
    }
    this.changed();
  }

  begin(work, { id, seed, variations, prompt, unseen_tokens: unseen }) {
    work.id = id;
    const request = { ...work.request, seed };
    const takes = Array.from({ length: variations }, () => Take.growing(prompt));
    work.step = new Step(work.title, takes, { request });
    this.session.add(work.step);
    this.tell(unseen > 0 ? "Composing; only the prompt's end is in the model's view …" : "Composing …");
    const { promptSeconds, promptNotes } = work.step.take;
    if (promptNotes > 0) this.play(Math.max(0, promptSeconds - LEAD_IN));
    else this.player.load(work.step.take, 0);
  }

  /** The first note of a piece from nothing is heard at once. */
  sounds(work, { onset }) {
    if (work.begun || work.step.take.promptNotes > 0) return;
    work.begun = true;
    if (this.session.step === work.step) this.play(Math.max(0, onset - 0.03));
  }

  play(from) {
    this.player.load(this.session.step.take, from);
    this.player.play(from).catch((error) => this.tell(error.message, error));
  }

  finish(take, piece) {
    if (!take) return;
    take.midi = api.fromBase64(piece.midi);
    take.facts = piece;
    take.finish();
  }

  done(work, { tokens, decode_seconds: seconds }) {
    const { facts } = work.step.take;
    const why = {
      end: "The model ended the piece.",
      stopped: "Stopped.",
      time: "The server's time was over.",
      tokens: "The server's limit of tokens was reached.",
      notes: "The server's limit of notes was reached.",
    };
    const speed = Math.round(tokens / Math.max(seconds, 1e-3));
    const none = work.step.takes.every((take) => take.facts?.new_notes === 0);
    const empty = facts?.ended === "end" ? "The model ended at once, without a note." : "No note came within this length.";
    this.tell(
      none
        ? `${empty} Try another seed, more freedom or more length.`
        : `${why[facts?.ended] ?? ""} ${tokens} tokens, ${speed} a second.`.trim(),
    );
  }

  /** After the stream: what never became a piece goes, what broke stays. */
  end({ step }) {
    if (!step) return;
    for (const take of step.takes) take.finish();
    const none = step.takes.every((take) => take.notes.length === take.promptNotes);
    if (none) this.session.remove(step);
  }
}
