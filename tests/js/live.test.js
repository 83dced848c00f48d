// The Live view's script: what it sends, what it draws of an answer, and what it says when something is missing.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { open, reading, until } from "./live_page.js";

const HALF_CIRCLE = Math.PI * 50; // of the gauges' drawing
let page = null;

async function started(options) {
  page = open(options);
  page.press("start");
  await until(() => page.view.dataset.state === "running");
  return page;
}

afterEach(() => page?.close());

test("before it is started nothing is asked or sent", () => {
  page = open();
  assert.equal(page.view.dataset.state, "idle");
  assert.deepEqual([page.sent, page.asked], [[], []]);
  assert.ok(page.at("send").disabled);
});

test("start enters, sends with the ticket, and becomes stop", async () => {
  await started();
  assert.deepEqual(page.asked, ["submit"]);
  assert.ok(page.sent.every((message) => message.ticket === "t1"));
  assert.equal(page.sent[0].text, "");
  assert.equal("text" in page.sent.at(-1) && page.sent.length > 1, false);
  assert.equal(page.at("start").textContent, page.at("start").dataset.stop);
  assert.equal(page.at("start").getAttribute("aria-pressed"), "true");
  assert.equal(page.at("send").disabled, false);
});

test("the camera is asked for what the server's own is", async () => {
  await started();
  const { width, height, frameRate } = page.camera;
  assert.ok(frameRate > 0);
  assert.deepEqual(structuredClone(page.wanted[0].video), { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: frameRate } });
});

test("the chosen ear is sent once, and what is shown is the one that answers", async () => {
  let ear = "mfcc-cnn";
  await started({ feed: (message) => reading({ ear: (ear = message.ear ?? ear) }) });
  assert.deepEqual(page.sent.filter((message) => "ear" in message).map((message) => message.ear), ["mfcc-cnn"]);
  page.at("ear").value = "whisper";
  page.at("ear").dispatchEvent(new page.window.Event("change"));
  await until(() => page.view.dataset.ear === "whisper");
  assert.equal(page.at("ear").value, "whisper");
  assert.equal(page.sent.filter((message) => message.ear === "whisper").length, 1);
  ear = "mfcc-cnn"; // another page of the same camera chose it, or the weights were not there
  await until(() => page.at("ear").value === "mfcc-cnn");
});

test("gauges show alpha and sigma, and an absent modality as absent", async () => {
  await started();
  const [first, absent, last] = page.modalities.map((name) => page.at(`gauge-${name}`));
  const filled = (gauge) => Number(gauge.querySelector(".hff-arc").getAttribute("stroke-dasharray").split(" ")[0]);
  assert.ok(Math.abs(filled(first) - 0.25 * HALF_CIRCLE) < 0.1);
  assert.ok(Math.abs(filled(last) - 0.75 * HALF_CIRCLE) < 0.1);
  assert.equal(filled(absent), 0);
  assert.equal(first.querySelector(".hff-alpha").textContent, "0.25");
  assert.equal(first.querySelector(".hff-sigma strong").textContent, "σ² 0.30");
  assert.equal(absent.querySelector(".hff-alpha").textContent, page.says.absent);
  assert.deepEqual([first, absent, last].map((gauge) => gauge.classList.contains("hff-absent")), [false, true, false]);
  const width = (part) => Number.parseFloat(first.querySelector(`.hff-sigma-bar ${part}`).style.width);
  assert.ok(Math.abs(width("b") / width("i") - 2) < 1e-6); // 0.2 aleatoric beside 0.1 epistemic
});

test("shown weights add up to 1", async () => {
  await started({ feed: () => reading({ alpha: [0.005, 0.335, 0.66], aleatoric: [0.2, 0.2, 0.3], epistemic: [0.1, 0.1, 0.05] }) });
  const shown = page.modalities.map((name) => Number(page.at(`gauge-${name}`).querySelector(".hff-alpha").textContent));
  assert.equal(Math.round(100 * shown.reduce((sum, one) => sum + one)), 100);
  assert.deepEqual(shown, [0.01, 0.33, 0.66]);
  page.close();
  // What is there has some weight, so small as it may be: exactly 0 is that of what is absent.
  await started({ feed: () => reading({ alpha: [0.003, 0, 0.997] }) });
  assert.deepEqual(page.modalities.map((name) => page.at(`gauge-${name}`).querySelector(".hff-alpha").textContent),
    ["<\u00a00.01", page.says.absent, "1.00"]);
});

test("what is held through a pause of speech is marked", async () => {
  const calm = await started();
  const unit = (view) => view.at(`gauge-${view.modalities[0]}`).querySelector(".hff-unit").textContent;
  const own = unit(calm);
  assert.notEqual(own, calm.says.pause);
  calm.close();
  const paused = await started({ feed: () => reading({ paused: [true, false, false] }) });
  assert.equal(unit(paused), paused.says.pause);
  assert.equal(paused.at(`gauge-${paused.modalities[2]}`).querySelector(".hff-unit").textContent, own);
});

test("a busy machine is said in a sentence of its own", async () => {
  const calm = await started();
  assert.doesNotMatch(calm.at("figures").textContent, /[{}]|busy/);
  calm.close();
  const busy = await started({ feed: () => reading({ effort: 3 }) });
  assert.match(busy.at("figures").textContent, /^[\d.]+ updates a second .* busy.*level 3 of 4\)$/);
});

test("what is not quite nothing or not quite certain never reads as 0 or 100", async () => {
  const labels = reading().labels.length;
  const sure = [0.002, 0.998 - 0.001 * (labels - 2), ...Array(labels - 2).fill(0.001)];
  const surely = { probabilities: sure, spread: sure.map(() => 0.003), aleatoric: [0.003, null, 0.3], epistemic: [0.001, null, 0.05] };
  await started({ feed: () => reading(surely) });
  assert.equal(page.all("bar")[0].querySelector(".hff-value").textContent, "under 1%");
  assert.equal(page.at("sure").textContent, "99%, give or take less than a point");
  assert.equal(page.at(`gauge-${page.modalities[0]}`).querySelector(".hff-sigma strong").textContent, "σ² <\u00a00.01");
  page.close();
  await started({ feed: () => reading({ probabilities: [0.001, 0.999, ...Array(labels - 2).fill(0)], spread: sure.map(() => 0.012) }) });
  assert.equal(page.at("sure").textContent, "over 99%, give or take 1 point");
  assert.equal(page.all("bar")[2].querySelector(".hff-value").textContent, "0%"); // truly none
});

test("a variance beyond a blind guess fills the bar and no more", async () => {
  await started({ feed: () => reading({ aleatoric: [5, null, 0.3] }) });
  assert.equal(page.at(`gauge-${page.modalities[0]}`).querySelector(".hff-sigma-bar b").style.width, "100%");
});

test("the likeliest emotion is marked, its bar as long as its share, its whisker one deviation to each side", async () => {
  await started();
  const bars = page.all("bar");
  assert.deepEqual(bars.map((bar) => bar.classList.contains("hff-best")).indexOf(true), 1);
  assert.equal(bars[1].querySelector("b").style.width, "70%");
  assert.ok(!page.at("emotion").classList.contains("hff-live-nobody"));
  assert.equal(bars[1].querySelector(".hff-value").textContent, "70%");
  const whisker = bars[1].querySelector(".hff-whisker");
  assert.ok(Math.abs(Number.parseFloat(whisker.style.left) - 65) < 1e-6);
  assert.ok(Math.abs(Number.parseFloat(whisker.style.width) - 10) < 1e-6);
});

test("without an emotion no share is shown", async () => {
  await started({ feed: () => reading({ emotion: null, alpha: [0, 0, 0], aleatoric: [null, null, null], epistemic: [null, null, null] }) });
  assert.ok(page.all("bar").every((bar) => bar.querySelector(".hff-value").textContent === "–"));
  assert.equal(page.at("sure").textContent, "");
  assert.ok(page.at("emotion").classList.contains("hff-live-nobody"));
});

test("shown figures are means of the last second, and add up to 1", async () => {
  let count = 0;
  const turns = [{ alpha: [0.2, 0, 0.8] }, { alpha: [0.6, 0, 0.4] }];
  await started({ feed: () => reading(turns[count++ % 2]) });
  await until(() => page.view.dataset.count >= 4);
  const shown = () => page.modalities.map((name) => Number(page.view.getAttribute(`data-alpha-${name}`)));
  assert.ok(shown()[0] > 0.25 && shown()[0] < 0.55, "between the two that are read in turn");
  assert.ok(Math.abs(shown().reduce((sum, one) => sum + one) - 1) < 1e-3);
});

test("a mean begins anew where a modality comes or goes", async () => {
  let count = 0;
  const both = { alpha: [0.9, 0, 0.1] };
  const alone = { alpha: [0, 0, 1], aleatoric: [null, null, 0.3], epistemic: [null, null, 0.05] };
  await started({ feed: () => reading(count++ < 3 ? both : alone) });
  await until(() => page.view.getAttribute(`data-alpha-${page.modalities[2]}`) === "1.0000");
  assert.equal(page.view.getAttribute(`data-alpha-${page.modalities[0]}`), "0.0000");
});

test("the big screen shows the answer and the weights, until it is pressed again", () => {
  page = open();
  page.press("big");
  assert.ok(page.view.classList.contains("hff-live-big"));
  assert.equal(page.at("big").getAttribute("aria-pressed"), "true");
  page.press("big");
  assert.ok(!page.view.classList.contains("hff-live-big"));
});

test("of an absent modality alpha is at 0 and sigma has a gap", async () => {
  let count = 0;
  const there = { alpha: [0.5, 0, 0.5], aleatoric: [0.2, null, 0.3] };
  const away = { alpha: [0, 0, 1], aleatoric: [null, null, 0.3] };
  await started({ feed: () => reading(count++ % 4 === 2 ? away : there) });
  await until(() => page.view.dataset.count >= 6);
  const drawn = (kind) => page.modalities.map((name) => page.at(`line-${kind}-${name}`).getAttribute("d"));
  const parts = (kind) => drawn(kind).map((path) => path.split("M").length - 1);
  assert.deepEqual(parts("alpha"), [1, 1, 1]);
  assert.deepEqual([parts("variance")[0] >= 2, parts("variance")[1], parts("variance")[2]], [true, 0, 1]);
  const zero = Number(page.at(`line-alpha-${page.modalities[0]}`).ownerSVGElement.dataset.bottom).toFixed(1);
  const heights = (path) => path.split(/[ML]/).slice(1).map((place) => place.split(" ")[1]);
  assert.ok(heights(drawn("alpha")[0]).includes(zero));
  assert.ok(heights(drawn("alpha")[1]).every((height) => height === zero));
});

test("long words are cut at a word's beginning", async () => {
  await started({ feed: () => reading({ words: `beginning ${"word ".repeat(60)}end` }) });
  const shown = page.at("words").textContent;
  assert.ok(shown.length <= 152);
  assert.match(shown, /^… word .* end$/);
});

test("typed words go out once, a moment after the last key", async () => {
  await started();
  page.at("text").value = "good morning";
  page.at("text").dispatchEvent(new page.window.Event("input"));
  await until(() => page.sent.some((message) => message.text === "good morning"));
  const count = page.sent.length;
  await until(() => page.sent.length > count + 1);
  assert.equal(page.sent.filter((message) => message.text === "good morning").length, 1);
});

test("pictures go out small, with a time that grows", async () => {
  await started({ devices: { video: "there", audio: "there" } });
  await until(() => page.sent.filter((message) => message.frame).length >= 2);
  const [one, two] = page.sent.filter((message) => message.frame).map((message) => message.frame);
  assert.equal(one.data, "data:image/jpeg;size=480x270");
  assert.ok(two.time > one.time);
});

test("sound goes out once, as 16 bit numbers within their range", async () => {
  await started({ devices: { video: "there", audio: "there" } });
  await until(() => page.collectors.some((port) => port.onmessage));
  const { onmessage } = page.collectors.find((port) => port.onmessage);
  onmessage({ data: new Float32Array([0, 0.5, -2, 2]) });
  await until(() => page.sent.some((message) => message.sound));
  const [{ sound }, ...more] = page.sent.filter((message) => message.sound);
  const bytes = Uint8Array.from(Buffer.from(sound.data, "base64"));
  assert.deepEqual([...new Int16Array(bytes.buffer)], [0, 16383, -32767, 32767]);
  assert.equal(sound.rate, 16000);
  assert.deepEqual(more, []);
});

test("of sound that waits for an answer the last two seconds are kept", async () => {
  let release;
  let held = false;
  const feed = () => (held ? new Promise((done) => { release = () => done(reading()); }) : reading());
  await started({ devices: { video: "there", audio: "there" }, feed });
  held = true;
  await until(() => release);
  const { onmessage } = page.collectors.find((port) => port.onmessage);
  for (let block = 0; block < 50; block += 1) onmessage({ data: new Float32Array(1600) }); // 5 s
  held = false;
  release();
  await until(() => page.sent.some((message) => message.sound));
  const { sound } = page.sent.find((message) => message.sound);
  assert.equal(Buffer.from(sound.data, "base64").length, 2 * 2 * 16000);
});

for (const [name, key] of [["NotAllowedError", "denied"], ["NotFoundError", "missing"], ["NotReadableError", "busy"]]) {
  test(`what ${name} of camera and microphone means is said once, of both`, async () => {
    await started({ devices: { video: name, audio: name } });
    const { says } = page;
    assert.equal(page.at("status").textContent, says[key].replace("{what}", says.both));
    assert.equal(page.view.dataset.trouble, "1");
  });
}

test("with the camera alone missing, only the camera is named, and the server's note of it is not said again", async () => {
  await started({ devices: { video: "NotAllowedError", audio: "there" }, feed: () => reading({ notes: ["no_camera"] }) });
  const { says } = page;
  assert.equal(page.at("status").textContent, says.denied.replace("{what}", says.camera));
});

test("a browser that gives no devices to an insecure page is explained, as long as the view runs", async () => {
  await started({ devices: null, feed: () => reading({ notes: ["no_camera", "no_microphone"] }) });
  await until(() => page.view.dataset.count >= 2);
  assert.equal(page.at("status").textContent, page.says.insecure);
  assert.equal(page.view.dataset.trouble, "1");
});

test("stopped while an answer is awaited, it stays stopped", async () => {
  let answer;
  page = open({ feed: () => new Promise((done) => { answer = done; }) });
  page.press("start");
  await until(() => answer);
  page.press("start");
  answer(reading());
  await new Promise((done) => setTimeout(done, 200));
  assert.equal(page.view.dataset.state, "stopped");
  assert.equal(page.view.dataset.count, "0");
});

test("who finds the room full is told so, and nothing is sent", async () => {
  page = open({ entry: { ticket: null, problem: "Four are watching." } });
  page.press("start");
  await until(() => page.view.dataset.state === "full");
  assert.equal(page.at("status").textContent, "Four are watching.");
  assert.deepEqual(page.sent, []);
});

test("a session that the server has forgotten is entered anew", async () => {
  let tickets = 0;
  const feed = (message) => (message.ticket === "t1" ? { gone: true } : reading());
  await started({ feed, entry: () => ({ ticket: `t${(tickets += 1)}` }) });
  assert.equal(page.sent.at(-1).ticket, "t2");
  assert.deepEqual(page.asked, ["submit", "submit"]);
});

test("a server that cannot be reached is said, and asked again", async () => {
  let count = 0;
  const feed = () => {
    count += 1;
    if (count === 1) throw new Error("offline");
    return reading();
  };
  page = open({ feed });
  page.press("start");
  await until(() => page.at("status").textContent === page.says.offline);
  await until(() => page.view.dataset.state === "running");
  assert.notEqual(page.at("status").textContent, page.says.offline);
});

test("stop leaves, and lets go of the devices", async () => {
  await started({ devices: { video: "there", audio: "there" } });
  const stream = page.at("video").srcObject;
  page.press("start");
  assert.deepEqual({ ...page.sent.at(-1) }, { ticket: "t1", leave: true });
  assert.ok(stream.getTracks().every((track) => track.readyState === "ended"));
  assert.equal(page.at("video").srcObject, null);
  assert.equal(page.view.dataset.state, "stopped");
  assert.equal(page.at("start").textContent, page.at("start").dataset.start);
});

test("only what was seen can be sent to the lab, also after stop", async () => {
  page = open();
  page.press("send");
  assert.deepEqual(page.asked, []);
  page.close();
  await started();
  page.press("send");
  assert.deepEqual(page.asked, ["submit", "select"]);
  page.press("start");
  assert.equal(page.at("send").disabled, false);
  page.press("send");
  assert.deepEqual(page.asked, ["submit", "select", "select"]);
});
