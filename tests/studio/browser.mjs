// The page as a musician uses it, in a real browser.

import { readFile } from "node:fs/promises";
import { browse, check, loudness, open, serve, slide, until } from "./world.mjs";

const { EXAMPLES, SHOTS } = process.env;
const tests = [];
const test = (name, run) => tests.push({ name, run });

const idle = (page) => until(page, () => !studio.composer.isBusy);
const position = (page) => page.evaluate(() => studio.player.position);
const notes = (page) => page.evaluate(() => studio.session.step.take.notes.length);

const isWrong = (page) => page.evaluate(() => document.getElementById("status").classList.contains("wrong"));

async function file(page, name, bytes, mimeType = "audio/midi") {
  await page.locator("#file").setInputFiles({ name, mimeType, buffer: bytes });
}

/** Whether a MIDI file has the notes of the piece that is shown. */
function isShown(page, midi) {
  return page.evaluate(async (bytes) => {
    const headers = { "Content-Type": "audio/midi" };
    const response = await fetch("/api/score", { method: "POST", headers, body: new Uint8Array(bytes) });
    const { notes } = await response.json();
    const told = (all) => all.map((n) => `${Math.round(n.onset * 1000)} ${n.pitch} ${n.velocity}`).sort().join();
    return told(notes) === told(studio.session.step.take.notes);
  }, [...midi]);
}

/** What the server makes of a MIDI file. */
async function rendered(world, midi, query) {
  const url = `${world.server.url}/api/render?${new URLSearchParams(query)}`;
  const response = await fetch(url, { method: "POST", headers: { "Content-Type": "audio/midi" }, body: midi });
  return Buffer.from(await response.arrayBuffer());
}

/** Pixels of the roll that are blue or green, as notes are; nothing else is. */
function ink(page) {
  return page.evaluate(() => {
    const canvas = document.getElementById("roll");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (Math.max(data[at + 1], data[at + 2]) > data[at] + 40) count += 1;
    }
    return count;
  });
}

async function saved(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(button).click()]);
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

test("a piece from nothing fills the roll and sounds at once", async (page) => {
  // The same pieces each time.
  await page.locator("#seed").fill("7");
  const empty = await ink(page);
  await slide(page, "#seconds", 60);
  await page.evaluate(() => {
    const { player } = studio;
    const heard = player.heard.bind(player);
    player.heard = (state) => {
      if (state.epoch === player.epoch && state.played > 0) studio.sounded ??= performance.now();
      heard(state);
    };
    document.getElementById("compose").addEventListener("click", () => { studio.pressed = performance.now(); });
  });
  await page.locator("#compose").click();
  await until(page, () => studio.sounded);
  const took = await page.evaluate(() => studio.sounded - studio.pressed);
  console.log(`    first sound after ${took.toFixed(0)} ms`);
  check(took < 1500, `first sound after ${took} ms`);
  await until(page, () => studio.session.step.take.notes.length > 20);
  let loudest = 0;
  for (let tries = 0; tries < 40 && loudest < 0.003; tries += 1) {
    loudest = Math.max(loudest, await loudness(page));
    await page.waitForTimeout(50);
  }
  check(loudest >= 0.003, "the loudspeakers get only silence");
  await idle(page);
  const drawn = await ink(page);
  check(empty === 0 && drawn > 300, `the roll had ${empty} pixels of notes, and has ${drawn}`);
});

test("pause, seek and tempo", async (page) => {
  const playing = () => page.evaluate(() => studio.player.playing);
  if (!(await playing())) await page.locator("#play").click();
  await until(page, () => studio.player.position > 1);
  const during = await position(page);
  await page.locator("#play").click();
  const before = await position(page);
  check(before > during - 0.2, "it jumps back as it is paused");
  await page.waitForTimeout(300);
  check((await position(page)) === before, "it goes on although it is paused");
  check((await loudness(page)) < 1e-4, "it sounds although it is paused");
  await page.locator("#play").click();
  check((await position(page)) >= before, "it begins anew instead of going on");
  await until(page, (since) => studio.player.position > since + 0.2, before);
  await page.locator("#play").click();
  check((await position(page)) < before + 10, "it does not go on where it was paused");

  await page.evaluate(() => {
    const { sound } = studio.player;
    const ask = sound.ask.bind(sound);
    studio.struck = [];
    sound.ask = (frames, events) => {
      studio.struck.push(...events.filter(({ velocity }) => velocity > 0).map(({ key }) => key));
      ask(frames, events);
    };
  });
  await slide(page, "#seek", 5);
  check(Math.abs((await position(page)) - 5) < 0.1, "it is not where it was sent");
  await slide(page, "#tempo", 200);
  await page.keyboard.press("Space");
  await until(page, () => studio.struck.length > 5 && studio.player.position > 6);
  const right = await page.evaluate(() => {
    const { notes } = studio.session.step.take;
    const from = notes.findIndex(({ onset }) => onset >= 5);
    const due = notes.slice(from, from + studio.struck.length).map(({ pitch }) => pitch);
    return String(due.sort()) === String(studio.struck.sort());
  });
  check(right, "other notes sound than stand there");
  // By the clock of the sound, which a busy machine may stop for a while.
  const now = () => page.evaluate(() => [studio.player.position, studio.player.played / studio.player.sound.rate]);
  const [from, since] = await now();
  await until(page, (rest) => studio.player.played / studio.player.sound.rate > rest, since + 2);
  const [to, then] = await now();
  const speed = (to - from) / (then - since);
  check(speed > 1.7 && speed < 2.3, `at tempo 200 % it goes ${speed} times as fast`);
  await page.keyboard.press("Space");
  await slide(page, "#tempo", 100);
});

test("held keys light up", async (page) => {
  const picture = () => page.evaluate(() => document.getElementById("keys").toDataURL());
  const { onset } = await page.evaluate(() => studio.session.step.take.notes.find((note) => note.duration > 0.2));
  await slide(page, "#seek", 0);
  await page.waitForTimeout(100);
  const dark = await picture();
  await page.evaluate((at) => studio.player.seek(at), onset + 0.1);
  await page.waitForTimeout(100);
  check((await picture()) !== dark, "no key is lit");
});

test("what is downloaded is the piece", async (page, world) => {
  const midi = await saved(page, "#get-midi");
  check(midi.name.endsWith(".mid") && midi.bytes.subarray(0, 4).toString() === "MThd", "no MIDI file");
  check(await isShown(page, midi.bytes), "the file has other notes than the page");
  const wav = await saved(page, "#get-wav");
  check(wav.bytes.subarray(0, 4).toString() === "RIFF" && wav.bytes.length > 1e6, "no WAV file");
  check(wav.bytes.equals(await rendered(world, midi.bytes, { format: "wav" })), "the WAV file is of another piece");
  const png = await saved(page, "#get-png");
  check(png.bytes.subarray(1, 4).toString() === "PNG", "no PNG file");
  const picture = await rendered(world, midi.bytes, { format: "png", title: "From nothing" });
  check(png.bytes.equals(picture), "the picture is of another piece");
});

test("going on from the playhead keeps what is before it", async (page) => {
  /** Notes as text, of the prompt where there is one. */
  const told = () => page.evaluate(() => {
    const { notes, promptNotes } = studio.session.step.take;
    const some = promptNotes > 0 ? notes.slice(0, promptNotes) : notes.filter(({ onset }) => onset < 10);
    return some.map(({ onset, pitch }) => `${onset.toFixed(3)} ${pitch}`).sort();
  });
  await slide(page, "#seek", 10);
  const before = await told();
  await slide(page, "#seconds", 10);
  await page.locator("#go-on").click();
  await until(page, () => studio.session.past.length > 1);
  await idle(page);
  check(String(await told()) === String(before), "the prompt is another music than what was before the playhead");
  const now = await page.evaluate(() => {
    const { promptNotes, promptSeconds, seconds, notes } = studio.session.step.take;
    return { promptNotes, promptSeconds, seconds, all: notes.length };
  });
  check(now.promptSeconds > 5 && now.promptSeconds < 10.1, `the prompt ends at ${now.promptSeconds} s`);
  check(now.all > now.promptNotes, "nothing is new");
  check((await page.locator("#title").textContent()) === "From nothing (from 0:10)", "the title is another");
  await page.locator("#undo").click();
  check((await page.locator("#title").textContent()) === "From nothing", "undo goes elsewhere");
  check((await notes(page)) !== now.all, "undo shows what was undone");
  await page.locator("#redo").click();
  check((await notes(page)) === now.all, "redo does not bring it back");
  await until(page, () => document.querySelectorAll("#history li").length >= 2);
});

test("a file is dropped, cut and continued in four variations", async (page) => {
  const bytes = [...(await readFile(`${EXAMPLES}/canon.mid`))];
  const data = await page.evaluateHandle((all) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(all)], "mine.mid", { type: "audio/midi" }));
    return transfer;
  }, bytes);
  await page.dispatchEvent("body", "drop", { dataTransfer: data });
  await until(page, () => studio.session.step.title === "mine");
  await slide(page, "#prompt", 6);
  check((await page.locator("#prompt-text").textContent()).includes("6.0 s"), "the slider says nothing");
  await page.locator("#four").check();
  await page.locator("#compose").click();
  await until(page, () => studio.session.step.takes.length === 4);
  await idle(page);
  await until(page, () => document.querySelectorAll("#variations [role=radio]").length === 4);
  const takes = await page.evaluate(() => studio.session.step.takes.map((take) => ({
    prompt: JSON.stringify(take.notes.slice(0, take.promptNotes)), ends: take.promptSeconds,
    all: JSON.stringify(take.notes), added: take.notes.length - take.promptNotes,
  })));
  check(takes[0].ends > 3 && takes[0].ends < 6.1, `the prompt ends at ${takes[0].ends} s`);
  check(new Set(takes.map(({ prompt }) => prompt)).size === 1, "variations have different prompts");
  check(new Set(takes.map(({ all }) => all)).size === 4, "variations are alike");
  check(takes.every(({ added }) => added > 0), "a variation has nothing new");
  await page.locator("#variations button").nth(2).click();
  check(await page.evaluate(() => studio.player.take === studio.session.step.takes[2]), "another one plays");
  check(await isShown(page, (await saved(page, "#get-midi")).bytes), "another one is downloaded");
  await page.locator("#four").uncheck();
});

test("a file that is no music is refused in words", async (page) => {
  const before = await notes(page);
  await file(page, "letter.mid", Buffer.from("Dear Nadezhda"));
  await until(page, () => document.getElementById("status").textContent.startsWith("letter.mid: "));
  check(await isWrong(page), "it is not shown as an error");
  await file(page, "song.mp3", Buffer.from("ID3"), "audio/mpeg");
  await until(page, () => document.getElementById("status").textContent.includes("recording"));
  check((await notes(page)) === before, "the piece is gone");
});

test("a generation stops where it is, and a link brings it back", async (page) => {
  await page.locator("#source").selectOption("");
  await page.locator("#source").dispatchEvent("change");
  await slide(page, "#seconds", 300);
  await page.locator("#compose").click();
  await until(page, () => studio.session.step.take.notes.length > 10);
  await page.locator("#stop").click();
  await idle(page);
  check(await page.evaluate(() => studio.session.step.take.facts?.ended === "stopped"), "it was not stopped");
  check(await page.evaluate(() => studio.session.step.take.midi !== null), "there is no file of it");
  await slide(page, "#seconds", 60);
  await slide(page, "#temperature", 1.2);
  await page.locator("#compose").click();
  await idle(page);
  await page.locator("#link").click();
  const made = await page.evaluate(() => JSON.stringify(studio.session.step.take.notes));
  const again = await page.context().newPage();
  await again.goto(page.url());
  await until(again, () => !document.getElementById("compose").disabled);
  await again.locator("#compose").click();
  await until(again, () => studio.session.step.isGenerated && !studio.composer.isBusy);
  check(made === (await again.evaluate(() => JSON.stringify(studio.session.step.take.notes))), "it is another piece");
  await again.close();
});

test("the server goes while it plays, and comes back", async (page, world) => {
  if (!(await page.evaluate(() => studio.player.playing))) await page.locator("#play").click();
  await until(page, () => studio.player.played > 0);
  await world.server.end();
  await until(page, () => document.getElementById("status").classList.contains("wrong"));
  check(!(await page.evaluate(() => studio.player.playing)), "it seems to play");
  await page.locator("#compose").click();
  await idle(page);
  check(await isWrong(page), "nothing is said when the server is gone");
  world.server = await serve(world.server.port);
  await until(page, () => document.getElementById("status").textContent.includes("back"));
  await page.locator("#compose").click();
  await until(page, () => studio.player.playing && studio.player.played > 0);
  await idle(page);
});

test("all can be done by keys, and everything has a name", async (page) => {
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("button, input:not([hidden]), select")]
      .filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length))
      .map((e) => e.outerHTML));
  check(nameless.length === 0, `without a name: ${nameless}`);
  await page.locator("body").press("?");
  check(await page.locator("#keys-help").isVisible(), "no list of keys");
  await page.keyboard.press("Escape");
  await slide(page, "#seconds", 60);
  const steps = await page.evaluate(() => studio.session.steps.length);
  await page.locator("body").press("c");
  await until(page, (before) => studio.session.steps.length > before, steps);
  await idle(page);
  await page.locator("body").press("End");
  check((await position(page)) > 1, "End does not go to the end");
});

async function shots(browser, url) {
  const sizes = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
  for (const [size, viewport] of Object.entries(sizes)) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open(browser, url, { viewport, colorScheme, deviceScaleFactor: 2 });
      await until(page, () => !document.getElementById("compose").disabled);
      await page.screenshot({ path: `${SHOTS}/begin-${size}-${colorScheme}.png`, fullPage: true });
      await page.locator("#source").selectOption("canon");
      await until(page, () => studio.session.step.source?.midi);
      await page.waitForTimeout(400);
      await page.screenshot({ path: `${SHOTS}/prompt-${size}-${colorScheme}.png`, fullPage: true });
      await slide(page, "#seconds", 30);
      await page.locator("#four").check();
      await page.locator("#compose").click();
      await until(page, () => studio.session.step.isGenerated && !studio.composer.isBusy, null, 60000);
      await until(page, () => studio.player.position > studio.session.step.take.promptSeconds + 2);
      await page.screenshot({ path: `${SHOTS}/made-${size}-${colorScheme}.png`, fullPage: true });
      await page.context().close();
    }
  }
}

const world = { server: await serve() };
const browser = await browse();
let failed = 0;
try {
  const page = await open(browser, world.server.url);
  await until(page, () => !document.getElementById("compose").disabled);
  for (const { name, run } of tests) {
    try {
      await run(page, world);
      check(page.faults.length === 0, `the page complains: ${page.faults.join("; ")}`);
      console.log(`ok  ${name}`);
    } catch (error) {
      failed += 1;
      page.faults = [];
      console.log(`NOT ${name}: ${error.message}\n    the page says: ${await page.locator("#status").textContent()}`);
    }
  }
  if (SHOTS) await shots(browser, world.server.url);
} finally {
  await browser.close();
  await world.server.end();
}
console.log(failed === 0 ? "the page works" : `${failed} of ${tests.length} failed`);
process.exit(failed === 0 ? 0 : 1);
