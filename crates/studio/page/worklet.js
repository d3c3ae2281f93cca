// Plays samples in the order in which they come, in the audio thread.

import { Line } from "/page/line.js";

class Tap extends AudioWorkletProcessor {
  constructor() {
    super();
    this.line = new Line();
    this.blocks = 0;
    this.port.onmessage = ({ data }) => this.line.take(data);
  }

  process(_inputs, [[left, right]]) {
    this.line.fill(left, right ?? left);
    this.blocks += 1;
    if (this.blocks % 8 === 0) this.port.postMessage(this.line.state());
    return true;
  }
}

registerProcessor("tap", Tap);
