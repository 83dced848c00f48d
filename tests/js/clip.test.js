// The Clip view's script in jsdom: the clock of a recording and its end.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { JSDOM } from "jsdom";
import { until } from "./live_page.js";

const SCRIPT = readFileSync(new URL("../../hff/page/static/clip.js", import.meta.url), "utf-8");

function page(longest) {
  const { window } = new JSDOM('<div id="hff-inputs"><div id="hff-video"><div class="buttons"></div></div></div>', {
    runScripts: "outside-only",
  });
  window.props = { clock: "{time} of {limit}", longest };
  window.eval(`(() => {${SCRIPT}})()`);
  const buttons = window.document.querySelector(".buttons");
  const record = (on) => {
    buttons.querySelector(".capture-button")?.remove();
    const title = on ? "stop recording" : "start recording";
    buttons.insertAdjacentHTML("afterbegin", `<button class="capture-button"><i title="${title}"></i></button>`);
    return buttons.firstChild;
  };
  return { window, record, clock: () => window.document.querySelector(".hff-clock") };
}

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
  await new Promise((done) => { setTimeout(done, 600); });
  assert.equal(pressed, 1);
  window.close();
});
