// Drives the page in Firefox, over WebDriver BiDi, with a made-up camera and microphone (Firefox's own: a moving
// pattern and a tone, so nobody is seen or heard): node firefox.js PROGRAM URL FOLDER. Prints what it saw as JSON.

import puppeteer from "puppeteer-core";

const [program, url, folder] = process.argv.slice(2);
const LONG = 120_000; // ms; the machine may be busy
const NEWS = 20; // live readings that count as a running view

const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: program,
  headless: true,
  protocolTimeout: LONG,
  extraPrefsFirefox: {
    "media.navigator.streams.fake": true,
    "media.navigator.permission.disabled": true,
    "media.autoplay.default": 0,
  },
});

async function tab(page, view) {
  await page.locator(`#hff-views [role=tab][data-tab-id=${view}]`).click();
}

async function live(page) {
  await tab(page, "live");
  await page.locator("[data-live=start]").click();
  await page.waitForFunction((news) => {
    const { state, updates, count } = document.querySelector(".hff-live").dataset;
    return state === "running" && Number(updates) >= 0 && Number(count) >= news;
  }, { timeout: LONG }, NEWS);
  const seen = await page.$eval("[data-live=video]", (video) => [video.videoWidth > 0, video.currentTime > 0]);
  const sentence = await page.$eval("[data-live=status]", (place) => place.textContent);
  await page.screenshot({ path: `${folder}/live.png` });
  await page.locator("[data-live=start]").click();
  await page.waitForFunction(() => document.querySelector(".hff-live").dataset.state !== "running", { timeout: LONG });
  return { seen, sentence };
}

async function clip(page) {
  await tab(page, "clip");
  await page.locator("#hff-video button[aria-label='Capture from camera']").click();
  await page.locator("#hff-video ::-p-text(Click to Access Webcam)").click();
  await page.waitForFunction(() => document.querySelector("#hff-video video")?.videoWidth > 0, { timeout: LONG });
  await page.locator("#hff-video .capture-button").click();
  await page.waitForFunction(() => document.querySelector(".hff-clock")?.textContent >= "0:03", { timeout: LONG });
  await page.locator("#hff-video .capture-button").click();
  await page.waitForFunction(() => document.querySelector("#hff-video video[src]") !== null, { timeout: LONG });
  await page.locator("#hff-text textarea").fill("I am so happy that you all came to see me today.");
  await page.waitForFunction(() => document.querySelector("#hff-status").textContent.includes("typed words"), { timeout: LONG });
  await page.locator("#hff-analyse").click();
  await page.waitForSelector("#hff-emotion", { timeout: LONG });
  await page.waitForSelector("#hff-timeline svg", { timeout: LONG });
  await page.screenshot({ path: `${folder}/clip.png` });
  return {
    emotion: await page.$eval("#hff-emotion", (place) => place.textContent),
    source: await page.$eval(".hff-source", (place) => place.textContent),
    alphaText: Number(await page.$eval("#hff-gauge-text", (gauge) => gauge.dataset.alpha)),
  };
}

// As a person would, presses again what has done nothing for a while.
async function chosen(page, place, then, tries = 4) {
  await page.locator(place).click();
  const answered = page.waitForSelector(then, { timeout: LONG / tries });
  if (tries > 1) await answered.catch(() => chosen(page, place, then, tries - 1));
  else await answered;
}

// After the clip, which lies on the bench as the lab is opened: it has no face, so the lesson is on its example.
async function lesson(page) {
  await tab(page, "lab");
  const [theirs, mine] = ["first-child", "nth-child(2)"].map((place) => `#hff-lesson-on label:${place}`);
  await page.waitForSelector(`${mine}.selected`, { timeout: LONG });
  await page.waitForSelector("#hff-lesson-lights_off[disabled]", { timeout: LONG });
  await chosen(page, theirs, "#hff-lesson-lights_off:not([disabled])");
  await page.locator("#hff-lesson-lights_off:not([disabled])").click();
  await page.waitForSelector("#hff-lab-unknown", { timeout: LONG });
  const choices = await page.$$("#hff-lesson-guess label");
  await choices.at(-1).click();
  await page.locator("#hff-lesson-show:not([disabled])").click();
  await page.waitForSelector("#hff-lab-after", { timeout: LONG });
  await page.screenshot({ path: `${folder}/lesson.png` });
  return { choices: choices.length, after: await page.$eval("#hff-lab-after", (place) => place.textContent.length > 0) };
}

try {
  const page = await browser.newPage();
  page.setDefaultTimeout(LONG);
  await page.setViewport({ width: 1366, height: 768 });
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(url);
  await page.waitForSelector("#hff-analyse", { timeout: LONG });
  await new Promise((done) => { setTimeout(done, 1500); }); // Gradio's events of loading
  const told = { live: await live(page), clip: await clip(page), lesson: await lesson(page), faults };
  console.log(JSON.stringify(told));
} finally {
  await browser.close();
}
