// A queue of samples: what the audio thread plays, and how far it is.

const FADE = 256;

export class Line {
  constructor() {
    this.parts = [];
    this.at = 0;
    this.epoch = 0;
    this.played = 0;
    this.missed = 0;
  }

  /** A message: samples of an epoch, or a new epoch that ends the one before. */
  take({ epoch, left, right }) {
    if (!left) {
      this.begin(epoch);
    } else if (epoch === this.epoch) {
      this.parts.push({ left, right });
    }
  }

  /** Fades out what was to come, and counts anew. */
  begin(epoch) {
    const left = new Float32Array(FADE);
    const right = new Float32Array(FADE);
    this.fill(left, right);
    for (let at = 0; at < FADE; at += 1) {
      left[at] *= 1 - at / FADE;
      right[at] *= 1 - at / FADE;
    }
    this.parts = [{ left, right, silent: true }];
    this.at = 0;
    this.epoch = epoch;
    this.played = 0;
    this.missed = 0;
  }

  /** The next samples; silence where there are none. */
  fill(left, right) {
    let to = 0;
    while (to < left.length && this.parts.length > 0) {
      const part = this.parts[0];
      const count = Math.min(left.length - to, part.left.length - this.at);
      left.set(part.left.subarray(this.at, this.at + count), to);
      right.set(part.right.subarray(this.at, this.at + count), to);
      if (!part.silent) this.played += count;
      this.at += count;
      to += count;
      if (this.at === part.left.length) {
        this.parts.shift();
        this.at = 0;
      }
    }
    if (to < left.length) {
      left.fill(0, to);
      right.fill(0, to);
      if (this.played > 0) this.missed += left.length - to;
    }
  }

  state() {
    return { epoch: this.epoch, played: this.played, missed: this.missed };
  }
}
