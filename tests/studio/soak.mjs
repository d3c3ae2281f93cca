// Clients that connect, ask and leave at random, against one server; then the
// server has to be as quick and about as small as before.
//
//   BINARY=... MODEL=... node tests/studio/soak.mjs [CLIENTS] [SECONDS]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import http from "node:http";

const { BINARY, MODEL, EXAMPLES = "crates/studio/examples" } = process.env;
const [clients, seconds] = [Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 300)];

const server = spawn(BINARY, ["serve", "--model", MODEL, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
const url = new URL(String((await once(server.stdout, "data"))[0]).trim());
const midi = readFileSync(`${EXAMPLES}/canon.mid`);

function status() {
  const text = readFileSync(`/proc/${server.pid}/status`, "utf8");
  const field = (name) => Number(text.match(new RegExp(`${name}:\\s+(\\d+)`))[1]);
  return {
    megabytes: Math.round(field("VmRSS") / 1024),
    threads: field("Threads"),
    files: readdirSync(`/proc/${server.pid}/fd`).length,
  };
}

const counts = {};
const count = (what) => { counts[what] = (counts[what] ?? 0) + 1; };

/** Asks; leaves after so many milliseconds, or stays to the end and gives the answer. */
function ask(method, path, type, body, leave) {
  return new Promise((resolve) => {
    const headers = type ? { "Content-Type": type } : {};
    const request = http.request({ host: url.hostname, port: url.port, method, path, headers, agent: false });
    let ended = false;
    let answer = "";
    const over = (what) => {
      if (!ended) count(what);
      ended = true;
      clearTimeout(timer);
      resolve(answer);
    };
    const timer = leave === null ? null : setTimeout(() => { request.destroy(); over("left"); }, leave);
    request.on("response", (response) => {
      count(`status ${response.statusCode}`);
      response.on("data", (data) => { if (answer.length < 1e5) answer += data; });
      response.on("end", () => over("whole"));
      response.on("error", () => {});
    });
    request.on("error", () => over("broken"));
    request.end(body);
  });
}

/** A question of the piano, as a WebSocket frame: masked, by zeros. */
function question() {
  const events = [{ frame: 0, key: 40 + random(40), velocity: random(128) }];
  const text = Buffer.from(JSON.stringify({ frames: 2048, events }));
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]);
}

/** Plays the piano as the page does, and leaves without a word. */
function play(leave) {
  return new Promise((resolve) => {
    const headers = {
      Connection: "Upgrade", Upgrade: "websocket",
      "Sec-WebSocket-Version": 13, "Sec-WebSocket-Key": "c29hayBzb2FrIHNvYWsgIQ==",
    };
    const path = "/api/piano?sample_rate=48000";
    const request = http.request({ host: url.hostname, port: url.port, path, headers, agent: false });
    request.on("upgrade", (_, socket) => {
      count("piano played");
      const asking = setInterval(() => socket.write(question()), 40);
      socket.on("data", ({ length }) => { counts["piano bytes"] = (counts["piano bytes"] ?? 0) + length; });
      socket.on("error", () => {});
      setTimeout(() => { clearInterval(asking); socket.destroy(); resolve(); }, leave);
    });
    request.on("response", (response) => { count(`piano ${response.statusCode}`); response.resume(); resolve(); });
    request.on("error", () => { count("broken"); resolve(); });
    request.end();
  });
}

const random = (most) => Math.floor(Math.random() * most);

function once_more() {
  const leave = Math.random() < 0.7 ? random(3000) : null;
  const request = {
    variations: 1 + random(4), may_end: false,
    length: { seconds: leave === null ? 2 + random(5) : 600 },
    ...(Math.random() < 0.5 && { prompt: { example: "canon", seconds: 1 + random(30) } }),
  };
  switch (random(7)) {
    case 0: return ask("POST", "/api/render?format=wav", "audio/midi", midi, leave);
    case 1: return ask("POST", "/api/score", "audio/midi", midi, leave);
    case 2: return ask("GET", ["/", "/api/models", "/page/app.js", "/nothing"][random(4)], null, null, leave);
    case 3: return play(random(5000));
    default: return ask("POST", "/api/generate", "application/json", JSON.stringify(request), leave);
  }
}

/** Seconds of a short generation when no one else is there. */
async function quick() {
  const began = performance.now();
  const body = JSON.stringify({ may_end: false, length: { notes: 10 } });
  const answer = await ask("POST", "/api/generate", "application/json", body, null);
  if (!answer.includes("event: done")) throw new Error(`no music: ${answer}`);
  return ((performance.now() - began) / 1000).toFixed(3);
}

console.log("before:", status(), "short generation:", await quick(), "s");
const end = Date.now() + seconds * 1000;
const client = async () => {
  while (Date.now() < end) {
    await once_more();
    await new Promise((go_on) => setTimeout(go_on, random(500)));
  }
};
const watch = setInterval(() => console.log(status()), Math.max(5000, (seconds * 1000) / 10));
await Promise.all(Array.from({ length: clients }, client));
clearInterval(watch);
await new Promise((go_on) => setTimeout(go_on, 2000));
console.log("after: ", status(), "short generation:", await quick(), "s");
console.log(counts);
server.kill("SIGTERM");
const [code] = await once(server, "exit");
console.log("exit code", code);
