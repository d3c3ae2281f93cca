// The page: what is shown, and what each control does.

import * as api from "/page/api.js";
import { onScheme } from "/page/colours.js";
import { Composer } from "/page/compose.js";
import { Keyboard } from "/page/keyboard.js";
import { Player } from "/page/player.js";
import { Roll } from "/page/roll.js";
import { Session, Step, Variations, clock } from "/page/session.js";
import { Settings } from "/page/settings.js";
import { listen } from "/page/shortcuts.js";
import { Take } from "/page/take.js";

const element = (id) => document.getElementById(id);
/** Seconds of a source that are the prompt at first. */
const PROMPT = 10;

let models = [];
let dragging = false;
/** Whether the controls are out of date. */
let stale = false;

const settings = new Settings();
const player = new Player(() => { stale = true; }, silenced);
const session = new Session(show);
const composer = new Composer({ session, player, tell, changed: () => { stale = true; } });
const keyboard = new Keyboard(element("keys"));
const variations = new Variations(element("variations"), (index) => session.choose(index));
const roll = new Roll(element("roll"), {
  seek: (seconds) => player.seek(Math.min(seconds, player.take?.seconds ?? 0)),
  prompt: setPrompt,
});

/** For tests, and for whoever wants to look inside. */
globalThis.studio = { player, session, composer };

/** Says something in the line at the top. */
function tell(text, error = null) {
  const status = element("status");
  status.textContent = text;
  status.classList.toggle("wrong", error !== null);
  if (error?.code === "gone") awaitServer();
}

/** The piano does not answer. */
function silenced(error) {
  tell(error.message, { code: "gone" });
}

/** Asks now and then whether the server is back. */
let awaiting = null;
function awaitServer() {
  awaiting ??= setInterval(async () => {
    try {
      await begin();
    } catch {
      return;
    }
    clearInterval(awaiting);
    awaiting = null;
    tell("The server is back.");
  }, 1500);
}

function nothing() {
  return new Step("A new piece", [new Take()], { source: {} });
}

/** Shows a step of the session. */
function show(step) {
  const { take } = step;
  const kept = player.take && shares(player.take, take) ? player.position : 0;
  player.load(take, Math.min(kept, take.seconds));
  if (roll.take !== take) roll.load(take);
  update();
}

/** Whether two takes are variations of one step. */
function shares(one, other) {
  return session.steps.some(({ takes }) => takes.includes(one) && takes.includes(other));
}

function setPrompt(seconds) {
  const { step } = session;
  if (!step.source?.midi) return;
  step.source.seconds = Math.min(Math.max(seconds, 0.5), step.take.seconds);
  update();
}

/** Brings all controls up to date. */
function update() {
  stale = false;
  const { step } = session;
  if (!step) return;
  const { take } = step;
  const has = take.notes.length > 0;
  const prompting = !step.isGenerated && Boolean(step.source?.midi);
  roll.prompt = prompting ? step.source.seconds : null;
  roll.expected = composer.isBusy && step.isGenerated && !take.done
    ? take.promptSeconds + step.request.length.seconds : 0;
  roll.refresh();
  element("title").textContent = step.title;
  element("facts").textContent = facts(step);
  element("roll").setAttribute("aria-label", has ? `Piano roll: ${facts(step)}` : "Piano roll, empty");
  element("empty").hidden = has || composer.isBusy;
  element("prompting").hidden = !prompting;
  if (prompting) {
    element("prompt").max = take.seconds;
    element("prompt").value = step.source.seconds;
    element("prompt-text").textContent = `the first ${step.source.seconds.toFixed(1)} s are the prompt`;
  }
  const busy = composer.isBusy;
  element("compose").hidden = busy;
  element("stop").hidden = !busy;
  element("compose").disabled = models.length === 0;
  element("compose").textContent = step.isGenerated ? "Once more" : prompting ? "Continue the piece" : "Compose";
  element("go-on").disabled = busy || !models.length || !take.midi;
  element("go-on").hidden = prompting;
  element("undo").disabled = busy || session.past.length === 0;
  element("redo").disabled = busy || session.future.length === 0;
  for (const kind of ["midi", "wav", "png"]) element(`get-${kind}`).disabled = !take.midi;
  element("play").disabled = element("to-start").disabled = element("seek").disabled = !has;
  const play = element("play");
  play.classList.toggle("playing", player.playing);
  play.setAttribute("aria-label", player.playing ? "Pause" : "Play");
  element("seek").max = Math.max(take.seconds, 0.1);
  variations.show(step);
  changes = true;
}

function facts(step) {
  const { take } = step;
  if (take.notes.length === 0) return "";
  const parts = [`${take.notes.length} notes`, clock(take.seconds)];
  if (take.promptNotes > 0) parts.push(`${take.notes.length - take.promptNotes} of them new`);
  if (step.seed !== null) parts.push(`seed ${step.seed + step.chosen}`);
  if (take.facts?.copied_notes > 8) parts.push(`${take.facts.copied_notes} notes in a row copied from the prompt`);
  return parts.join(" · ");
}

/** Whether lists and small pictures are out of date, and since when they are not. */
let changes = true;
let listed = 0;

function frame(now) {
  if (stale) update();
  const { step } = session;
  const { position, take } = player;
  roll.follow(position);
  roll.draw();
  const shown = player.playing || position > 0;
  keyboard.draw(shown && take ? take.sounding(position) : [], shown && take ? take.pedalDown(position) : false);
  if (!dragging) element("seek").value = position;
  const text = `${clock(position)} / ${clock(take?.seconds ?? 0)}`;
  if (element("time").value !== text) {
    element("time").value = text;
    element("seek").setAttribute("aria-valuetext", text);
  }
  element("roll").classList.toggle("waiting", player.waiting);
  if (changes && now - listed > 250) {
    changes = false;
    listed = now;
    element("no-history").hidden = session.list(element("history")) > 0;
    variations.draw();
    document.title = step?.isGenerated ? `${step.title} – tchaikovsky` : "tchaikovsky";
  }
  requestAnimationFrame(frame);
}

/** What the main button does. */
async function compose() {
  if (composer.isBusy) return composer.stop();
  if (element("compose").disabled) return;
  const { step } = session;
  const request = settings.request();
  if (step.isGenerated) {
    return composer.compose({ ...request, prompt: step.request.prompt }, step.title);
  }
  if (!step.source?.midi) return composer.compose(request, "From nothing");
  const { example, midi, seconds } = step.source;
  const prompt = example ? { example, seconds } : { midi: api.toBase64(midi), seconds };
  return composer.compose({ ...request, prompt }, `On from ${step.title}`);
}

async function goOn() {
  const { take, title } = session.step;
  if (element("go-on").disabled || element("go-on").hidden) return;
  const at = player.position > 0.5 ? player.position : take.seconds;
  const prompt = { midi: api.toBase64(take.midi), seconds: Math.max(0.5, at) };
  const name = title.replace(/ \(from .*\)$/, "");
  await composer.compose({ ...settings.request(), prompt }, `${name} (from ${clock(at)})`);
}

/** Takes a MIDI file as what to begin with. */
async function beginWith(title, midi, example = null, seconds = PROMPT) {
  const score = await api.score(midi);
  const take = new Take(score);
  take.midi = midi;
  const source = { midi, example, seconds: Math.min(seconds || PROMPT, take.seconds) };
  session.add(new Step(title, [take], { source }));
  element("damage").textContent = score.damage;
  tell("Choose how much of it is the prompt, and continue it.");
}

function isRecording({ type }) {
  return /^(audio|video)\//.test(type) && !/midi?$/.test(type);
}

async function open(file) {
  if (!file) return;
  element("source").value = "";
  try {
    if (isRecording(file)) throw new Error("This is a recording. What is needed are notes: a MIDI file, whose name ends in .mid.");
    if (file.size > 4 << 20) throw new Error("This file is too large to be a piece of piano music.");
    await beginWith(file.name.replace(/\.midi?$/i, ""), new Uint8Array(await file.arrayBuffer()));
  } catch (error) {
    tell(`${file.name}: ${error.message}`, error);
  }
}

async function openExample(name, seconds) {
  try {
    if (!name) return session.add(nothing());
    const { text } = [...element("source").options].find(({ value }) => value === name) ?? {};
    await beginWith((text ?? name).replace(/ \(.*/, ""), await api.bytes(`/api/examples/${name}`), name, seconds);
  } catch (error) {
    tell(error.message, error);
  }
}

async function download(format) {
  const { take, title, seed, chosen } = session.step;
  if (!take.midi) return;
  try {
    let blob = new Blob([take.midi], { type: "audio/midi" });
    if (format !== "mid") {
      tell(format === "wav" ? "Playing it into a file …" : "Drawing it …");
      const query = { format };
      if (format === "png") query.title = title;
      if (format === "png" && take.promptSeconds > 0) query.prompt_seconds = take.promptSeconds;
      blob = await api.render(take.midi, query);
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    const number = seed === null ? "" : `-${seed + chosen}`;
    link.download = `${title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-")}${number}.${format}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    tell(`${link.download} is downloaded.`);
  } catch (error) {
    tell(error.message, error);
  }
}

async function copyLink() {
  const { step } = session;
  const { prompt } = step.request ?? {};
  const source = step.isGenerated ? prompt : step.source?.midi ? step.source : null;
  const link = settings.link(step.seed, source);
  history.replaceState(null, "", link);
  const lost = source && !source.example;
  const says = lost ? " It cannot carry the file that the piece goes on from." : "";
  try {
    await navigator.clipboard.writeText(link);
    tell(`The link is copied.${says}`);
  } catch {
    tell(`The link is in the address line.${says}`);
  }
}

function toggle() {
  if (element("play").disabled) return;
  if (player.playing) player.pause();
  else player.play().catch(silenced);
}

function move(seconds) {
  player.seek(Math.min(player.position + seconds, player.take.seconds));
}

/** Asks the server what there is. */
async function begin() {
  const [told, examples] = await Promise.all([api.get("/api/models"), api.get("/api/examples")]);
  const first = models.length === 0;
  models = told.models;
  if (first) {
    settings.models(models, told.limits);
    const select = element("source");
    select.append(...examples.map(({ name, title }) => new Option(title, name)));
  }
  update();
}

function wire() {
  const on = (id, action, event = "click") => element(id).addEventListener(event, action);
  on("compose", compose);
  on("stop", () => composer.stop());
  on("go-on", goOn);
  on("undo", () => session.undo());
  on("redo", () => session.redo());
  on("get-midi", () => download("mid"));
  on("get-wav", () => download("wav"));
  on("get-png", () => download("png"));
  on("link", copyLink);
  on("play", toggle);
  on("to-start", () => player.seek(0));
  on("zoom-in", () => roll.zoom(1.5));
  on("zoom-out", () => roll.zoom(1 / 1.5));
  on("zoom-fit", () => roll.fit());
  on("help", () => element("keys-help").showModal());
  on("open", () => element("file").click());
  on("file", ({ target }) => open(target.files[0]).finally(() => { target.value = ""; }), "change");
  on("source", ({ target }) => openExample(target.value), "change");
  on("prompt", ({ target }) => setPrompt(Number(target.value)), "input");
  on("seek", ({ target }) => { dragging = true; player.seek(Number(target.value)); }, "input");
  on("seek", () => { dragging = false; }, "change");
  on("volume", ({ target }) => player.sound.volume(target.value / 100), "input");
  on("tempo", ({ target }) => {
    player.tempo = target.value / 100;
    element("tempo-text").textContent = `${target.value} %`;
  }, "input");
  onScheme(() => { roll.refresh(); keyboard.refresh(); changes = true; });
  addEventListener("dragover", (event) => { event.preventDefault(); element("drop").hidden = false; });
  addEventListener("dragleave", ({ relatedTarget }) => { if (!relatedTarget) element("drop").hidden = true; });
  addEventListener("drop", (event) => {
    event.preventDefault();
    element("drop").hidden = true;
    if (!composer.isBusy) open(event.dataTransfer.files[0]);
  });
  listen({
    " ": toggle, c: compose, g: goOn, l: copyLink,
    u: ({ shiftKey }) => (shiftKey ? element("redo") : element("undo")).click(),
    "+": () => roll.zoom(1.5), "=": () => roll.zoom(1.5), "-": () => roll.zoom(1 / 1.5), 0: () => roll.fit(),
    ArrowLeft: ({ shiftKey }) => move(shiftKey ? -1 : -5), ArrowRight: ({ shiftKey }) => move(shiftKey ? 1 : 5),
    Home: () => player.seek(0), End: () => player.seek(player.take.seconds),
    1: () => session.choose(0), 2: () => session.choose(1), 3: () => session.choose(2), 4: () => session.choose(3),
    "?": () => element("keys-help").showModal(),
  });
}

wire();
session.add(nothing());
requestAnimationFrame(frame);
begin().then(async () => {
  const from = settings.fromLink();
  if (from) await openExample(element("source").value = from.example, from.seconds);
  if (models.length === 0) tell("The server has no model: pieces can be heard and seen. Start it with --model FOLDER to compose.");
  else if (!from) tell("Ready.");
}, (error) => tell(error.message, error));
