// From the server's piano to the loudspeakers.
//
// Samples are asked for over a WebSocket and queued in the audio thread. An
// epoch is a stretch that is played without a jump; a new one discards what was
// to come. Without AudioWorklet (browsers leave it out where a page comes from
// another machine without HTTPS) an old kind of node takes its place.

import { Line } from "/page/line.js";

export class Sound {
  /**
   * `heard(state)` is called about fifty times a second, `lost()` when the
   * piano is gone that was there.
   */
  constructor(heard, lost) {
    this.heard = heard;
    this.lost = lost;
    this.context = null;
    this.socket = null;
    this.epoch = 0;
    /** Epochs of the questions that are not answered yet. */
    this.waiting = [];
    this.opening = null;
    this.level = 0.8;
  }

  /** Readies loudspeakers and piano; call it first from a click or key. */
  async open() {
    if (!this.context) {
      this.context = new AudioContext({ latencyHint: "interactive" });
      this.gain = this.context.createGain();
      this.analyser = this.context.createAnalyser();
      this.gain.connect(this.analyser).connect(this.context.destination);
      this.volume(this.level);
      this.tap = this.openTap();
    }
    await Promise.all([this.context.resume(), this.tap, this.openSocket()]);
  }

  get rate() {
    return this.context.sampleRate;
  }

  /** Seconds between a sample's turn and its sound. */
  get latency() {
    return (this.context?.baseLatency ?? 0) + (this.context?.outputLatency ?? 0);
  }

  volume(level) {
    this.level = level;
    // Ears hear ratios: the middle of the slider is about half as loud.
    this.gain?.gain.setTargetAtTime(level * level, this.context.currentTime, 0.02);
  }

  async openTap() {
    if (this.context.audioWorklet) {
      await this.context.audioWorklet.addModule("/page/worklet.js");
      const options = { numberOfInputs: 0, outputChannelCount: [2] };
      const node = new AudioWorkletNode(this.context, "tap", options);
      node.port.onmessage = ({ data }) => this.heard(data);
      node.connect(this.gain);
      this.send = (message, transfer) => node.port.postMessage(message, transfer);
      return;
    }
    const line = new Line();
    const node = this.context.createScriptProcessor(1024, 0, 2);
    node.onaudioprocess = ({ outputBuffer }) => {
      line.fill(outputBuffer.getChannelData(0), outputBuffer.getChannelData(1));
      this.heard(line.state());
    };
    node.connect(this.gain);
    this.node = node;
    this.send = (message) => line.take(message);
  }

  openSocket() {
    if (this.socket?.readyState === WebSocket.OPEN) return Promise.resolve();
    if (this.opening) return this.opening;
    this.opening = new Promise((resolve, reject) => {
      const address = new URL(`/api/piano?sample_rate=${this.rate}`, location.href);
      address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(address);
      socket.binaryType = "arraybuffer";
      socket.onopen = () => {
        this.waiting = [];
        this.socket = socket;
        resolve();
      };
      socket.onmessage = ({ data }) => this.answer(data);
      socket.onclose = () => {
        if (this.socket === socket) {
          this.socket = null;
          this.lost();
        }
        reject(new Error("The server's piano does not answer. Is the program still running?"));
      };
    }).finally(() => {
      this.opening = null;
    });
    return this.opening;
  }

  /** Begins anew: what was to come is faded out, a piano at rest plays on. */
  begin() {
    this.epoch += 1;
    this.fresh = true;
    this.send?.({ epoch: this.epoch });
    return this.epoch;
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  /** Asks for samples, with what happens within them. */
  ask(frames, events) {
    if (!this.isOpen) return;
    this.socket.send(JSON.stringify({ frames, events, reset: this.fresh }));
    this.fresh = false;
    this.waiting.push(this.epoch);
  }

  answer(data) {
    const epoch = this.waiting.shift();
    if (epoch !== this.epoch) return;
    const samples = new Float32Array(data);
    const left = samples.slice(0, samples.length / 2);
    const right = samples.slice(samples.length / 2);
    this.send({ epoch, left, right }, [left.buffer, right.buffer]);
  }
}
