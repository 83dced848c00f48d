// The Clip view's script in jsdom: the clock of a recording and its end, and an Analyse that waits for files.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { JSDOM } from "jsdom";
import { until } from "./live_page.js";

const SCRIPT = readFileSync(new URL("../../hff/page/static/clip.js", import.meta.url), "utf-8");
const MARKUP = `<div id="hff-inputs"><div id="hff-video"><div class="buttons"></div></div>
  <button id="hff-analyse"></button></div>`;

function page(longest = 90) {
  const { window } = new JSDOM(MARKUP, { runScripts: "outside-only", url: "http://localhost/" });
  window.props = { clock: "{time} of {limit}", longest, sources: { "Upload file": "Datei hochladen" } };
  const asked = []; // requests, each answered when a test says so
  window.fetch = (address) => new Promise((answer) => { asked.push({ address, answer }); });
  window.eval(`(() => {${SCRIPT}})()`);
  const buttons = window.document.querySelector(".buttons");
  const record = (on) => {
    buttons.querySelector(".capture-button")?.remove();
    const title = on ? "stop recording" : "start recording";
    buttons.insertAdjacentHTML("afterbegin", `<button class="capture-button"><i title="${title}"></i></button>`);
    return buttons.firstChild;
  };
  const analyse = window.document.querySelector("#hff-analyse");
  const pressed = [];
  analyse.addEventListener("click", () => pressed.push(window.performance.now()));
  return {
    window, record, asked, analyse, pressed, clock: () => window.document.querySelector(".hff-clock"),
    uploaded: (request, path, ok = true) => request.answer({ ok, clone: () => ({ json: async () => [path] }) }),
    known: (...files) => window.dispatchEvent(new window.CustomEvent("hff-files", { detail: files })),
  };
}

test("what Gradio says in English is said in the page's language, whenever it comes", async () => {
  const { window } = page();
  const video = window.document.querySelector("#hff-video");
  video.insertAdjacentHTML("beforeend", '<p class="source-selection"><button aria-label="Upload file"></button><i aria-label="x"></i></p>');
  await until(() => video.querySelector(".source-selection button").getAttribute("aria-label") === "Datei hochladen");
  assert.equal(video.querySelector("i").getAttribute("aria-label"), "x");
  window.close();
});

test("a recording has a clock, which goes with it", async () => {
  const { window, record, clock } = page(90);
  record(false);
  assert.equal(clock(), null);
  record(true);
  await until(() => clock()?.textContent === "0:01 of 1:30");
  record(false);
  await until(() => clock() === null);
  window.close();
});

test("a recording ends by itself, once", async () => {
  const { window, record } = page(0.4);
  let pressed = 0;
  record(true).addEventListener("click", () => { pressed += 1; });
  await until(() => pressed > 0);
  await wait(600);
  assert.equal(pressed, 1);
  window.close();
});

test("Analyse goes on at once where nothing is on its way", () => {
  const { window, analyse, pressed, asked } = page();
  window.fetch("http://localhost/gradio_api/queue/join");
  analyse.click();
  assert.equal(pressed.length, 1);
  assert.equal(asked.length, 1);
  window.close();
});

test("Analyse waits until what is uploaded has come to its component, however long that takes", async () => {
  const { window, analyse, pressed, asked, uploaded, known } = page();
  window.fetch("http://localhost/de/gradio_api/upload?upload_id=1");
  analyse.click();
  analyse.click();
  assert.equal(pressed.length, 0);
  uploaded(asked[0], "visit-1/clip.mp4");
  known({ path: "visit-1/older.mp4" }, null, null);
  await wait(700);
  assert.equal(pressed.length, 0);
  assert.ok(analyse.dataset.held);
  known({ path: "visit-1/clip.mp4" }, null, null);
  await until(() => pressed.length > 0);
  await wait(300);
  assert.equal(pressed.length, 1);
  assert.equal(analyse.dataset.held, undefined);
  window.close();
});

test("Analyse that waited for a file which never came reads nothing else", async () => {
  const { window, analyse, pressed, asked, uploaded } = page();
  window.fetch("http://localhost/gradio_api/upload");
  analyse.click();
  uploaded(asked[0], "", false);
  await until(() => analyse.dataset.held === undefined);
  assert.equal(pressed.length, 0);
  analyse.click();
  assert.equal(pressed.length, 1);
  window.close();
});
