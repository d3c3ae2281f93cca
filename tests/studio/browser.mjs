// The page as a musician uses it, in a real browser.

import { readFile } from "node:fs/promises";
import { browse, check, loudness, open, serve, slide, until } from "./world.mjs";

const { EXAMPLES, SHOTS } = process.env;
const tests = [];
const test = (name, run) => tests.push({ name, run });

const idle = (page) => until(page, () => !studio.composer.isBusy);
const position = (page) => page.evaluate(() => studio.player.position);
const notes = (page) => page.evaluate(() => studio.session.step.take.notes.length);

async function file(page, name, bytes) {
  await page.locator("#file").setInputFiles({ name, mimeType: "audio/midi", buffer: bytes });
}

async function saved(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(button).click()]);
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

test("a piece from nothing fills the roll and sounds at once", async (page) => {
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
  const ink = await page.evaluate(() => {
    const canvas = document.getElementById("roll");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4) colours.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
    return colours.size;
  });
  check(ink > 15, `the roll has ${ink} colours`);
});

test("pause, seek and tempo", async (page) => {
  if (!(await page.evaluate(() => studio.player.playing))) await page.locator("#play").click();
  await page.locator("#play").click();
  const before = await position(page);
  await page.waitForTimeout(300);
  check((await position(page)) === before, "it goes on although it is paused");
  await slide(page, "#seek", 5);
  check(Math.abs((await position(page)) - 5) < 0.1, "it is not where it was sent");
  await slide(page, "#tempo", 200);
  await page.keyboard.press("Space");
  await until(page, () => studio.player.position > 6);
  const [from, since] = [await position(page), Date.now()];
  await page.waitForTimeout(1000);
  const speed = ((await position(page)) - from) / ((Date.now() - since) / 1000);
  check(speed > 1.5 && speed < 2.5, `at tempo 200 % it goes ${speed} times as fast`);
  await page.keyboard.press("Space");
  await slide(page, "#tempo", 100);
});

test("what is downloaded is the piece", async (page) => {
  const midi = await saved(page, "#get-midi");
  check(midi.name.endsWith(".mid") && midi.bytes.subarray(0, 4).toString() === "MThd", "no MIDI file");
  const same = await page.evaluate(async (bytes) => {
    const headers = { "Content-Type": "audio/midi" };
    const response = await fetch("/api/score", { method: "POST", headers, body: new Uint8Array(bytes) });
    const { notes } = await response.json();
    const own = studio.session.step.take.notes;
    const told = (all) => all.map((n) => `${Math.round(n.onset * 1000)} ${n.pitch} ${n.velocity}`).sort().join();
    return told(notes) === told(own);
  }, [...midi.bytes]);
  check(same, "the file has other notes than the page");
  const wav = await saved(page, "#get-wav");
  check(wav.bytes.subarray(0, 4).toString() === "RIFF" && wav.bytes.length > 1e6, "no WAV file");
  const png = await saved(page, "#get-png");
  check(png.bytes.subarray(1, 4).toString() === "PNG", "no PNG file");
});

test("going on from the playhead keeps what is before it", async (page) => {
  await slide(page, "#seek", 10);
  const kept = await page.evaluate(() => studio.session.step.take.notes.filter((n) => n.onset < 9.5).length);
  await slide(page, "#seconds", 10);
  await page.locator("#go-on").click();
  await until(page, () => studio.session.past.length > 1);
  await idle(page);
  const now = await page.evaluate(() => {
    const { take } = studio.session.step;
    return { kept: take.notes.filter((n) => n.onset < 9.5).length, prompt: take.promptNotes, all: take.notes.length };
  });
  check(Math.abs(now.kept - kept) <= 2, `${kept} notes were there, ${now.kept} are`);
  check(now.all > now.prompt, "nothing is new");
  await page.locator("#undo").click();
  check((await page.locator("#title").textContent()) === "From nothing", "undo goes elsewhere");
  await page.locator("#redo").click();
  await until(page, () => document.querySelectorAll("#history li").length >= 2);
});

test("a file is dropped, cut and continued in four variations", async (page) => {
  const bytes = [...(await readFile(`${EXAMPLES}/greensleeves.mid`))];
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
  const pieces = await page.evaluate(() => studio.session.step.takes.map((t) => JSON.stringify(t.notes)));
  check(new Set(pieces).size === 4, "variations are alike");
  await page.locator("#variations button").nth(2).click();
  check(await page.evaluate(() => studio.player.take === studio.session.step.takes[2]), "another one plays");
  await page.locator("#four").uncheck();
});

test("a file that is no music is refused in words", async (page) => {
  const before = await notes(page);
  await file(page, "letter.mid", Buffer.from("Dear Nadezhda"));
  await until(page, () => document.getElementById("status").textContent.includes("letter.mid"));
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
  check(await page.evaluate(() => studio.session.step.take.midi !== null), "there is no file of it");
  await slide(page, "#seconds", 60);
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

test("the server goes and comes back", async (page, world) => {
  await world.server.end();
  await page.locator("#compose").click();
  await until(page, () => document.getElementById("status").classList.contains("wrong"));
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
