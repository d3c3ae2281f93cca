// The server's API: one function a question.

/** An answer that is no success, with the server's words. */
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("gone", "The server does not answer. Is the program still running?");
  }
  if (response.ok) return response;
  let told = null;
  try {
    told = (await response.json()).error;
  } catch {
    // Not the server's own words.
  }
  throw new Refusal(told?.code ?? "unknown", told?.message ?? `The server answers ${response.status}.`);
}

/** JSON of a path. */
export async function get(path) {
  return (await ask(path)).json();
}

/** Bytes of a path. */
export async function bytes(path) {
  return new Uint8Array(await (await ask(path)).arrayBuffer());
}

function midi(body) {
  return { method: "POST", headers: { "Content-Type": "audio/midi" }, body };
}

/** Notes and pedals of a MIDI file, in seconds. */
export async function score(body) {
  return (await ask("/api/score", midi(body))).json();
}

/** A MIDI file as sound or picture. */
export async function render(body, query) {
  return (await ask(`/api/render?${new URLSearchParams(query)}`, midi(body))).blob();
}

/** Ends a generation where it is. */
export async function stop(id) {
  await ask(`/api/generate/${id}/stop`, { method: "POST" });
}

/**
 * Generates; `tell(name, data)` is called for each event of the stream.
 * Resolves when the stream ends; aborting the signal ends the work.
 */
export async function generate(request, tell, signal) {
  const response = await ask("/api/generate", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
    signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let over = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const field = (name) =>
          event.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        const name = field("event");
        if (!name) continue;
        const data = JSON.parse(field("data"));
        over ||= name === "done" || name === "error";
        if (name === "error") throw new Refusal(data.code, data.message);
        tell(name, data);
      }
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Refusal) throw error;
  }
  if (!over) throw new Refusal("gone", "The connection broke while the piece was being made.");
}

/** Base64 to bytes, and back. */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}
