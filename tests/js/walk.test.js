// The Model view's script in jsdom: which part of the drawing is looked at.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { JSDOM } from "jsdom";
import { until } from "./live_page.js";

const SCRIPT = readFileSync(new URL("../../hff/page/static/walk.js", import.meta.url), "utf-8");
const KEYS = ["speech", "weights", "time"];

// Two drawings, of which the screen has room for the second; the script finds out by the boxes that an element has.
function drawing() {
  const blocks = KEYS.map((key) => `<g data-block="${key}" aria-pressed="${key === "weights"}" tabindex="-1"></g>`).join("");
  return `<svg class="wide">${blocks}</svg><svg class="narrow">${blocks}</svg>`;
}

const below = () => KEYS.map((key) => `<section data-part="${key}"></section>`).join("");

function page() {
  const { window } = new JSDOM(
    `<div id="hff-walk"><div id="drawing">${drawing()}</div><div id="parts">${below()}</div></div>`,
    { runScripts: "outside-only" },
  );
  const { document } = window;
  const scrolled = [];
  window.Element.prototype.getClientRects = function () {
    return this.closest(".narrow") ? [1] : [];
  };
  window.Element.prototype.scrollIntoView = function () {
    scrolled.push(this.dataset.part);
  };
  window.element = document.getElementById("drawing");
  window.eval(`(() => {${SCRIPT}})()`);
  const block = (key, kind = "narrow") => document.querySelector(`.${kind} [data-block=${key}]`);
  const press = (target, key) =>
    target.dispatchEvent(new window.KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const open = () => [...document.querySelectorAll("[data-part]:not([hidden])")].map((part) => part.dataset.part);
  const pressed = () => [...document.querySelectorAll("[aria-pressed=true]")].map((one) => one.dataset.block);
  return { window, document, block, press, open, pressed, scrolled };
}

test("a click shows a block's part and leads to it", () => {
  const { window, block, open, pressed, scrolled } = page();
  block("time").dispatchEvent(new window.MouseEvent("click", { bubbles: true }));
  assert.deepEqual(open(), ["time"]);
  assert.deepEqual(pressed(), ["time", "time"]);
  assert.deepEqual(scrolled, ["time"]);
  window.close();
});

test("arrow keys go round the blocks of the drawing that fits", () => {
  const { window, document, block, press, open } = page();
  const at = () => document.activeElement.dataset.block;
  block("weights").focus();
  press(document.activeElement, "ArrowRight");
  assert.deepEqual([at(), open()], ["time", ["time"]]);
  press(document.activeElement, "ArrowDown");
  assert.deepEqual([at(), open()], ["speech", ["speech"]]);
  press(document.activeElement, "End");
  press(document.activeElement, "ArrowLeft");
  assert.deepEqual([at(), open()], ["weights", ["weights"]]);
  assert.equal(document.activeElement, block("weights"), "not that of the other drawing");
  assert.deepEqual([block("weights"), block("time")].map((one) => one.getAttribute("tabindex")), ["0", "-1"]);
  assert.equal(press(document.activeElement, "Tab"), true, "other keys are the browser's");
  window.close();
});

test("a new moment keeps the choice and the focus", async () => {
  const { window, document, block, press, open, pressed } = page();
  block("weights").focus();
  press(document.activeElement, "ArrowRight");
  document.getElementById("drawing").innerHTML = drawing();
  document.getElementById("parts").innerHTML = below();
  await until(() => open().length === 1);
  assert.deepEqual(open(), ["time"]);
  assert.deepEqual(pressed(), ["time", "time"]);
  assert.equal(document.activeElement, block("time"));
  window.close();
});
