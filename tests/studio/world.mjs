// A server of its own, a browser, and what the tests ask of a page.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chromium } from "playwright-core";

const { BINARY, MODEL } = process.env;

/** Starts the server; on a given port where one is given. */
export async function serve(port = 0) {
  const options = ["serve", "--model", MODEL, "--port", String(port)];
  const server = spawn(BINARY, options, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(server.stdout, "data");
  const url = String(line).trim();
  return {
    url,
    port: new URL(url).port,
    async end() {
      if (server.exitCode !== null) return;
      server.kill("SIGTERM");
      await once(server, "exit");
    },
  };
}

/** A browser that makes no sound, but plays. */
export async function browse() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--mute-audio"],
  });
}

/** A page whose errors end the test. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|WebSocket|ERR_/.test(message.text())) {
      page.faults.push(message.text());
    }
  });
  await page.goto(url);
  return page;
}

/** Waits until something holds in the page. */
export function until(page, what, argument, timeout = 30000) {
  return page.waitForFunction(what, argument, { timeout, polling: 50 });
}

/** The loudest sample that the loudspeakers get now. */
export function loudness(page) {
  return page.evaluate(() => {
    const samples = new Float32Array(2048);
    studio.player.sound.analyser.getFloatTimeDomainData(samples);
    return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  });
}

/** Sets a slider as a hand would. */
export async function slide(page, id, value) {
  await page.locator(id).evaluate((slider, to) => {
    slider.value = to;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    slider.dispatchEvent(new Event("change", { bubbles: true }));
  }, value);
}

export function check(holds, words) {
  if (!holds) throw new Error(words);
}
