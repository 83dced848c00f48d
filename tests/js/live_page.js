// The Live view in jsdom: the real markup, properties and script, with devices and a server that a test decides about.

import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { JSDOM } from "jsdom";

const GIVEN = JSON.parse(readFileSync(new URL("build/live.json", import.meta.url), "utf-8"));
const NO_DEVICES = { video: "NotFoundError", audio: "NotFoundError" };
const LONGEST = 5000; // ms that anything may take

export async function until(condition) {
  const begun = Date.now();
  while (!condition()) {
    if (Date.now() - begun > LONGEST) throw new Error(`never came true: ${condition}`);
    await wait(5);
  }
}

// What the server answers where a test says nothing else: a glad person who is seen and heard, without words.
export function reading(changes = {}) {
  const labels = [...JSDOM.fragment(GIVEN.markup).querySelectorAll('[data-live="bar"]')].map((bar) => bar.dataset.label);
  const probabilities = labels.map((_, i) => (i === 1 ? 0.7 : 0.3 / (labels.length - 1)));
  return {
    time: 1, looked: 0, heard: 0, emotion: "happy", labels, probabilities, spread: labels.map(() => 0.05),
    alpha: [0.25, 0, 0.75], aleatoric: [0.2, null, 0.3], epistemic: [0.1, null, 0.05], paused: [false, false, false], attention: null, face: null,
    ear: "mfcc-cnn", words: "", typed: "", notes: [], effort: 0, cost: 0.01, ...changes,
  };
}

class FakeTrack {
  constructor(kind) {
    Object.assign(this, { kind, muted: false, readyState: "live" });
  }
  addEventListener() {}
  stop() {
    this.readyState = "ended";
  }
}

class FakeStream {
  constructor(tracks) {
    this.tracks = tracks;
  }
  getTracks() {
    return this.tracks;
  }
  getVideoTracks() {
    return this.tracks.filter((track) => track.kind === "video");
  }
  getAudioTracks() {
    return this.tracks.filter((track) => track.kind === "audio");
  }
}

/**
 * One page. `devices` says for "video" and "audio" what asking for them ends in: "there", or the name of an error;
 * null is a browser without devices. `feed` answers what is sent; `entry` is what the server says to one who enters.
 */
export function open({ devices = NO_DEVICES, feed = () => reading(), entry = { ticket: "t1" } } = {}) {
  const dom = new JSDOM(`<body><div id="view">${GIVEN.markup}</div></body>`, { runScripts: "outside-only", url: "http://localhost/" });
  const { window } = dom;
  const sent = [];
  const asked = [];
  const wanted = [];
  const watchers = {};
  const props = { ...structuredClone(GIVEN.props), entry: null };
  Object.defineProperty(window.HTMLElement.prototype, "offsetParent", { get() { return this.parentNode; } });
  Object.assign(window, { MediaStream: FakeStream });
  const collectors = fakeDevices(window, devices, wanted);
  const trigger = (name) => {
    asked.push(name);
    if (name !== "submit") return;
    props.entry = typeof entry === "function" ? entry() : entry;
    window.setTimeout(watchers.entry, 0);
  };
  const server = {
    feed: async (message) => {
      sent.push(message);
      return message.leave ? {} : feed(message);
    },
  };
  const run = new window.Function("element", "trigger", "props", "server", "watch", GIVEN.script);
  const root = window.document.querySelector("#view");
  run(root, trigger, props, server, (name, then) => { watchers[name] = then; });
  const view = root.querySelector(".hff-live");
  return {
    window, view, sent, asked, wanted, collectors, camera: props.camera, says: props.says, modalities: props.modalities,
    at: (name) => view.querySelector(`[data-live="${name}"]`),
    all: (name) => [...view.querySelectorAll(`[data-live="${name}"]`)],
    press: (name) => view.querySelector(`[data-live="${name}"]`).click(),
    close: () => window.close(),
  };
}

function fakeDevices(window, devices, asked) {
  const collectors = [];
  if (devices === null) return collectors;
  const getUserMedia = async (wanted) => {
    asked.push(wanted);
    for (const kind of Object.keys(wanted)) {
      if (devices[kind] !== "there") throw new window.DOMException("no", devices[kind]);
    }
    return new FakeStream(Object.keys(wanted).map((kind) => new FakeTrack(kind)));
  };
  Object.defineProperty(window.navigator, "mediaDevices", { value: { getUserMedia, addEventListener() {} } });
  class Node {
    constructor() {
      this.port = {};
      collectors.push(this.port);
    }
    connect(other) {
      return other;
    }
  }
  window.AudioWorkletNode = Node;
  window.AudioContext = class {
    sampleRate = 16000;
    state = "running";
    audioWorklet = { addModule: async () => {} };
    createMediaStreamSource() {
      return new Node();
    }
    async close() {}
  };
  window.URL.createObjectURL = () => "blob:collector";
  window.URL.revokeObjectURL = () => {};
  const { HTMLMediaElement, HTMLVideoElement, HTMLCanvasElement } = window;
  HTMLMediaElement.prototype.play = async () => {};
  let shown = 0; // a new picture each time it is looked at
  Object.defineProperties(HTMLMediaElement.prototype, {
    readyState: { get: () => 4 },
    currentTime: { get: () => (shown += 1) },
    srcObject: { value: null, writable: true },
  });
  Object.defineProperties(HTMLVideoElement.prototype, { videoWidth: { get: () => 640 }, videoHeight: { get: () => 360 } });
  HTMLCanvasElement.prototype.getContext = () => ({ drawImage() {} });
  HTMLCanvasElement.prototype.toDataURL = function (type) {
    return `data:${type};size=${this.width}x${this.height}`;
  };
  return collectors;
}
