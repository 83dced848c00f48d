// The Live view in the browser: camera and microphone on one clock, one question to the server at a time, and the
// answer drawn into places that are already there. Runs as gr.HTML's js_on_load: element, trigger, props, server and
// watch are Gradio's.

const root = element.querySelector(".hff-live");
const at = (name) => root.querySelector(`[data-live="${name}"]`);
const all = (name) => [...root.querySelectorAll(`[data-live="${name}"]`)];
const places = Object.fromEntries(
  ["start", "send", "big", "status", "video", "picture", "face", "face-age", "words", "text", "ear", "emotion", "sure", "figures"]
    .map((name) => [name, at(name)]),
);
const { says, modalities, history, native } = props;

const PERIOD = 85; // ms between two questions to the server, at least
const FRAME_WIDTH = 480; // pixels of a frame that is sent
const JPEG_QUALITY = 0.75;
const MAX_SOUND = 2; // s of sound kept while an answer is awaited
const RETRY = 2500; // ms until a lost device is asked for again
const SMOOTH = 1; // s over which the shown figures are means
const STALE_FACE = 1.5; // s after which the face's box is taken away
const DRIFT = 0.25; // s that the sound's own clock may be off the page's

let run = null; // everything of one run, from Start to Stop
let figures = null; // what was drawn last

const fill = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const language = document.documentElement.lang || "en";
const formats = [0, 1, 2].map((digits) => new Intl.NumberFormat(language, {
  minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false,
}));
const number = (value, digits) => formats[digits].format(value);
const percents = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0, useGrouping: false });
// What is not quite 0 or 1 never reads as none or as certain, as everywhere on the page.
const percent = (share) => (
  share > 0 && share < 0.005 ? props.rounded.none : share >= 0.995 && share < 1 ? props.rounded.all : percents.format(share)
);
const amount = (value) => (value > 0 && value < 0.005 ? props.rounded.little : number(value, 2));
const plurals = new Intl.PluralRules(language);
function points(share) {
  const count = Math.round(100 * share);
  const { spread, small } = props.rounded;
  return 100 * share < 1 ? small : fill(spread[plurals.select(count)] ?? spread.other, { count });
}
const named = (label) => props.emotions[label] ?? label; // labels stay as they are in data attributes

// ---- devices ------------------------------------------------------------------------------------------------

const KINDS = {
  camera: { video: Object.fromEntries(Object.entries(props.camera).map(([what, ideal]) => [what, { ideal }])) },
  microphone: { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } },
};

// One question for both; where that fails, one for each tells which is missing.
async function openBoth() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ ...KINDS.camera, ...KINDS.microphone });
  } catch {
    return Promise.all([open("camera"), open("microphone")]);
  }
  return Promise.all([
    open("camera", new MediaStream(stream.getVideoTracks())),
    open("microphone", new MediaStream(stream.getAudioTracks())),
  ]);
}

async function open(kind, given = null) {
  const mine = run;
  if (!mine) return given?.getTracks().forEach((track) => track.stop());
  mine.trouble[kind] = null;
  try {
    const stream = given ?? (await navigator.mediaDevices.getUserMedia(KINDS[kind]));
    if (run !== mine) {
      stream.getTracks().forEach((track) => track.stop());
      return;
    }
    mine.streams[kind] = stream;
    stream.getTracks()[0].addEventListener("ended", () => lost(mine, kind, "lost"));
    await (kind === "camera" ? showCamera(stream) : hear(mine, stream));
  } catch (error) {
    const why = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing" }[error.name] ?? "busy";
    lost(mine, kind, why);
  }
}

function lost(mine, kind, why) {
  if (run !== mine) return;
  mine.trouble[kind] = why;
  mine.streams[kind]?.getTracks().forEach((track) => track.stop());
  delete mine.streams[kind];
  if (kind === "microphone") silence(mine);
  if (why !== "denied") mine.retries.push(setTimeout(() => run === mine && open(kind), RETRY));
  drawStatus();
}

async function showCamera(stream) {
  places.video.srcObject = stream;
  await places.video.play();
}

const COLLECTOR = `registerProcessor("hff-collector", class extends AudioWorkletProcessor {
  constructor() { super(); this.blocks = []; this.size = 0; }
  process(inputs) {
    const block = inputs[0][0];
    if (block) { this.blocks.push(block.slice()); this.size += block.length; }
    if (this.size >= 1024) {
      const samples = new Float32Array(this.size);
      let filled = 0;
      for (const part of this.blocks) { samples.set(part, filled); filled += part.length; }
      this.port.postMessage(samples, [samples.buffer]);
      this.blocks = []; this.size = 0;
    }
    return true;
  }
});`;

async function hear(mine, stream) {
  silence(mine);
  const context = new AudioContext();
  mine.audio = { context, chunks: [], size: 0, total: 0, origin: null };
  const address = URL.createObjectURL(new Blob([COLLECTOR], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(address);
  } finally {
    URL.revokeObjectURL(address);
  }
  const collector = new AudioWorkletNode(context, "hff-collector", { numberOfOutputs: 1, channelCount: 1,
    channelCountMode: "explicit" });
  collector.port.onmessage = (event) => collect(mine.audio, event.data, mine);
  context.createMediaStreamSource(stream).connect(collector).connect(context.destination); // its output is silence
  // Where there is no sound output, Firefox never says that it has resumed: nothing may wait for that.
  if (context.state === "suspended") context.resume().catch(() => {});
}

// Whether there is a microphone whose sound the browser keeps back.
const held = (mine) => mine.audio?.context.state === "suspended" && !mine.trouble.microphone;

function collect(audio, samples, mine) {
  if (!audio) return;
  const rate = audio.context.sampleRate;
  audio.total += samples.length;
  // Messages come late, never early: the earliest tells when the sound began.
  const origin = seconds(mine) - audio.total / rate;
  if (audio.origin === null || origin < audio.origin || origin - audio.origin > DRIFT) audio.origin = origin;
  audio.chunks.push(samples);
  audio.size += samples.length;
  while (audio.size > MAX_SOUND * rate) audio.size -= audio.chunks.shift().length;
}

function silence(mine) {
  mine.audio?.context.close().catch(() => {});
  mine.audio = null;
}

// ---- what is sent -------------------------------------------------------------------------------------------

const seconds = (mine) => Math.max(0, (performance.now() - mine.begun) / 1000);

function takeFrame(mine) {
  const video = places.video;
  const track = mine.streams.camera?.getVideoTracks()[0];
  if (!track || track.muted || track.readyState !== "live" || video.readyState < 2) return null;
  if (video.currentTime === mine.shownFrame) return null; // the camera gave no new picture
  mine.shownFrame = video.currentTime;
  const canvas = mine.canvas;
  canvas.width = FRAME_WIDTH;
  canvas.height = Math.round((FRAME_WIDTH * video.videoHeight) / video.videoWidth);
  const time = seconds(mine);
  canvas.getContext("2d", { alpha: false }).drawImage(video, 0, 0, canvas.width, canvas.height);
  return { time, data: canvas.toDataURL("image/jpeg", JPEG_QUALITY) };
}

function takeSound(mine) {
  const audio = mine.audio;
  if (!audio || !audio.size || mine.streams.microphone?.getAudioTracks()[0]?.muted) return null;
  const rate = audio.context.sampleRate;
  const time = Math.max(0, audio.origin + (audio.total - audio.size) / rate);
  const samples = new Int16Array(audio.size);
  let filled = 0;
  for (const chunk of audio.chunks) for (const value of chunk) samples[filled++] = 32767 * Math.max(-1, Math.min(1, value));
  audio.chunks = [];
  audio.size = 0;
  return { time, rate, data: base64(new Uint8Array(samples.buffer)) };
}

function base64(bytes) {
  let text = "";
  for (let from = 0; from < bytes.length; from += 8192) {
    text += String.fromCharCode(...bytes.subarray(from, from + 8192));
  }
  return btoa(text);
}

async function talk(mine) {
  while (run === mine) {
    if (!root.offsetParent) { // another view is shown: nothing is sent, and after a while the place is given free
      takeSound(mine);
      await new Promise((done) => setTimeout(done, 250));
      continue;
    }
    const begun = performance.now();
    const message = { ticket: mine.ticket };
    if (mine.text !== null) [message.text, mine.text] = [mine.text, null];
    if (mine.ear !== null) [message.ear, mine.ear] = [mine.ear, null];
    if (!native) Object.assign(message, { frame: takeFrame(mine), sound: takeSound(mine) });
    let answer;
    try {
      answer = await server.feed(message);
    } catch {
      answer = null;
    }
    if (run !== mine) return;
    if (answer?.gone) {
      mine.text = places.text.value;
      mine.ear = ear();
      mine.ticket = await ticket(mine);
      if (mine.ticket === null) return;
      mine.begun = performance.now(); // a new session counts from its own beginning
      if (mine.audio) Object.assign(mine.audio, { chunks: [], size: 0, total: 0, origin: null });
    } else if (!answer || answer.error) {
      mine.problem = answer?.error ?? says.offline;
      drawStatus();
      await new Promise((done) => setTimeout(done, 1000));
    } else {
      mine.problem = null;
      draw(mine, answer);
    }
    await new Promise((done) => setTimeout(done, Math.max(0, PERIOD - (performance.now() - begun))));
  }
}

// ---- what is drawn ------------------------------------------------------------------------------------------

function draw(mine, answer) {
  const now = seconds(mine);
  const shown = smoothed(mine, answer, now);
  const variance = varianceOf(shown);
  mine.count += 1;
  mine.stamps.push(now);
  while (now - mine.stamps[0] > 3) mine.stamps.shift();
  const rate = mine.stamps.length > 1 ? (mine.stamps.length - 1) / (now - mine.stamps[0]) : 0;
  const seen = native ? answer.age : ageOf(now, answer);
  mine.points.push({ now, alpha: answer.alpha, variance: varianceOf(answer) }); // of what is absent alpha is exactly 0
  while (now - mine.points[0].now > history) mine.points.shift();
  figures = answer;
  drawAnswer(shown);
  modalities.forEach((name, i) => drawGauge(name, shown, variance, i));
  drawFace(answer, now);
  drawWords(answer);
  drawAttention(answer);
  drawLines(mine, now);
  if (native && answer.picture) {
    places.picture.src = answer.picture;
    places.picture.hidden = false;
  }
  places.figures.textContent = fill(answer.effort ? says.figures_busy : says.figures, {
    updates: number(rate, 1),
    age: seen === null ? "–" : number(seen, 2),
    level: answer.effort,
    most: props.most_spared,
  });
  const face = answer.face && answer.face.time;
  Object.assign(root.dataset, {
    updates: rate.toFixed(2), age: seen === null ? "" : seen.toFixed(3), count: mine.count, effort: answer.effort,
    cost: answer.cost, emotion: shown.emotion ?? "", face: face ?? "", notes: answer.notes.join(" "),
    words: answer.words, ear: answer.ear,
  });
  if (places.ear && mine.ear === null) places.ear.value = answer.ear; // another page of this camera may have chosen
  modalities.forEach((name, i) => {
    root.setAttribute(`data-alpha-${name}`, shown.alpha[i].toFixed(4));
    root.setAttribute(`data-variance-${name}`, variance[i] === null ? "" : variance[i].toFixed(4));
  });
  setState("running");
}

// The oldest of the newest picture and the newest sound that the reading knows.
function ageOf(now, answer) {
  const known = [answer.looked, answer.heard].filter((time) => time !== null);
  return known.length ? Math.max(0, now - Math.min(...known)) : null;
}

const varianceOf = (answer) => answer.aleatoric.map((part, i) => (part === null ? null : part + answer.epistemic[i]));

// What is shown: the means of the last second's readings, as far back as the same modalities were there, so that the
// weights add up to 1. The lines and the face stay as they were read.
function smoothed(mine, answer, now) {
  const pattern = (reading) => reading.aleatoric.map((value) => value === null).join() + reading.labels.join() + reading.ear;
  mine.recent = [...mine.recent.filter((one) => now - one.now < SMOOTH && pattern(one.answer) === pattern(answer)), { now, answer }];
  const mean = (rows) => rows[0].map((value, i) => (
    value === null ? null : rows.reduce((sum, one) => sum + one[i], 0) / rows.length
  ));
  const means = Object.fromEntries(["alpha", "aleatoric", "epistemic", "probabilities", "spread"].map(
    (name) => [name, mean(mine.recent.map((one) => one.answer[name]))],
  ));
  const best = means.probabilities.indexOf(Math.max(...means.probabilities));
  return { ...answer, ...means, emotion: answer.emotion && answer.labels[best] };
}

// Weights that add up to 1, in hundredths that still do: those cut most by it are rounded up.
function hundredths(shares) {
  const whole = shares.map((share) => Math.floor(100 * share + 1e-9));
  const cut = (i) => 100 * shares[i] - whole[i];
  const left = Math.round(100 * shares.reduce((sum, share) => sum + share, 0)) - whole.reduce((sum, part) => sum + part, 0);
  shares.map((_, i) => i).sort((a, b) => cut(b) - cut(a)).slice(0, left).forEach((i) => { whole[i] += 1; });
  return whole.map((part) => part / 100);
}

function drawGauge(name, answer, variance, i) {
  const gauge = at(`gauge-${name}`);
  const there = variance[i] !== null;
  gauge.classList.toggle("hff-absent", !there);
  const { length, gap } = gauge.querySelector(".hff-dial").dataset;
  gauge.querySelector(".hff-arc").setAttribute("stroke-dasharray", `${(there ? answer.alpha[i] : 0) * length} ${gap}`);
  // Where a modality is there its weight is above 0: exactly 0 is that of an absent one.
  const weight = hundredths(answer.alpha)[i];
  gauge.querySelector(".hff-alpha").textContent = there ? (weight ? number(weight, 2) : props.rounded.little) : says.absent;
  gauge.classList.toggle("hff-paused", Boolean(answer.paused?.[i]));
  const unit = gauge.querySelector(".hff-unit");
  unit.dataset.own ??= unit.textContent;
  unit.textContent = answer.paused?.[i] ? says.pause : unit.dataset.own;
  gauge.querySelector(".hff-sigma strong").textContent = there ? `σ² ${amount(variance[i])}` : "σ² –";
  const bar = gauge.querySelector(".hff-sigma-bar");
  const width = (part) => `${there ? Math.min(100, (100 * part) / bar.dataset.full) : 0}%`;
  bar.querySelector("b").style.width = width(answer.aleatoric[i]);
  bar.querySelector("i").style.width = width(answer.epistemic[i]);
}

// One bar a label of the weights that answer; those that the page was made with stay as they are.
function barsOf(labels) {
  const bars = all("bar");
  if (bars.length === labels.length && bars.every((bar, i) => bar.dataset.label === labels[i])) return bars;
  const made = labels.map((label) => {
    const bar = bars[0].cloneNode(true);
    bar.dataset.label = label;
    bar.querySelector("span").textContent = named(label);
    return bar;
  });
  bars[0].parentElement.replaceChildren(...made);
  for (const bar of root.querySelectorAll(".hff-sigma-bar")) {
    bar.style.setProperty("--guess", `${(100 * (1 - 1 / labels.length)) / bar.dataset.full}%`); // a blind guess
  }
  return made;
}

function drawAnswer(answer) {
  const bars = barsOf(answer.labels);
  const best = answer.probabilities.indexOf(Math.max(...answer.probabilities));
  bars.forEach((bar, i) => {
    const share = answer.probabilities[i] ?? 0;
    const whisker = bar.querySelector(".hff-whisker");
    bar.classList.toggle("hff-best", i === best);
    bar.querySelector("b").style.width = `${100 * share}%`;
    bar.querySelector(".hff-value").textContent = answer.emotion ? percent(share) : "–";
    whisker.hidden = !answer.emotion;
    if (!answer.emotion) return;
    const low = Math.max(0, share - answer.spread[i]);
    whisker.style.left = `${100 * low}%`;
    whisker.style.width = `${100 * (Math.min(1, share + answer.spread[i]) - low)}%`;
  });
  places.emotion.textContent = answer.emotion ? named(answer.emotion) : props.nobody;
  places.emotion.classList.toggle("hff-live-nobody", !answer.emotion);
  places.sure.textContent = answer.emotion
    ? fill(says.sure, { percent: percent(answer.probabilities[best]), spread: points(answer.spread[best]) })
    : "";
}

function drawFace(answer, now) {
  const age = answer.face ? (native ? answer.time - answer.face.time : now - answer.face.time) : Infinity;
  places.face.hidden = age > STALE_FACE;
  if (places.face.hidden) return;
  // The picture is fitted into a 4:3 box and mirrored; so is the face's box.
  const shown = native ? places.picture : places.video;
  const ratio = ((shown.videoWidth ?? shown.naturalWidth) / (shown.videoHeight ?? shown.naturalHeight) || 4 / 3) / (4 / 3);
  const [wide, high] = [Math.min(1, ratio), Math.min(1, 1 / ratio)];
  const [left, top, width, height] = answer.face.box;
  const place = { left: 0.5 + wide * (0.5 - left - width), top: 0.5 + high * (top - 0.5), width: wide * width, height: high * height };
  for (const [side, value] of Object.entries(place)) places.face.style[side] = `${100 * value}%`;
  places["face-age"].textContent = fill(says.box, { age: number(Math.max(0, age), 1) });
}

function drawWords(answer) {
  const words = answer.typed || answer.words;
  places.words.dataset.empty = words ? "0" : "1";
  const shown = words.length > 150 ? `… ${words.slice(-150).replace(/^\S*\s/, "")}` : words;
  if (places.words.textContent !== (shown || places.words.dataset.hint)) {
    places.words.textContent = shown || places.words.dataset.hint;
  }
}

function drawAttention(answer) {
  const largest = Math.max(1e-6, ...(answer.attention ?? [[]]).flat());
  all("cells").forEach((row, kind) => {
    const cells = [...row.children];
    const shares = answer.attention?.[kind] ?? [];
    const empty = cells.length - shares.length; // a session's first seconds fill the right side
    cells.forEach((cell, i) => cell.setAttribute("fill-opacity", ((shares[i - empty] ?? 0) / largest).toFixed(2)));
  });
}

function drawLines(mine, now) {
  for (const kind of ["alpha", "variance"]) {
    modalities.forEach((name, i) => {
      const line = at(`line-${kind}-${name}`);
      const { width, top, bottom } = line.ownerSVGElement.dataset;
      let path = "";
      let gap = true;
      for (const point of mine.points) {
        const value = point[kind][i];
        if (value !== null) {
          const x = width * (1 - (now - point.now) / history);
          path += `${gap ? "M" : "L"}${x.toFixed(1)} ${(bottom - (bottom - top) * Math.min(1, value)).toFixed(1)}`;
        }
        gap = value === null;
      }
      line.setAttribute("d", path);
    });
  }
}

function drawStatus() {
  const lines = [];
  if (run?.problem) lines.push(run.problem);
  else if (run) {
    const { camera, microphone } = run.trouble;
    if (camera && camera === microphone) lines.push(fill(says[camera], { what: says.both }));
    else for (const kind of ["camera", "microphone"]) if (run.trouble[kind]) lines.push(fill(says[run.trouble[kind]], { what: says[kind] }));
    const told = { no_camera: camera, no_microphone: microphone };
    if (root.dataset.state === "running") {
      for (const note of figures?.notes ?? []) if (!told[note]) lines.push(says[note === "no_microphone" && held(run) ? "no_sound_output" : note]);
    }
  }
  root.dataset.trouble = lines.length ? "1" : "0";
  const sentence = lines.join(" ") || says[root.dataset.state];
  if (places.status.textContent !== sentence) places.status.textContent = sentence;
}

function setState(state) {
  root.dataset.state = state;
  places.start.textContent = run ? places.start.dataset.stop : places.start.dataset.start;
  places.start.setAttribute("aria-pressed", String(Boolean(run)));
  places.send.disabled = !(state === "running" || (state === "stopped" && figures)); // the last seconds stay
  drawStatus();
}

// ---- start and stop -----------------------------------------------------------------------------------------

let entered = null; // resolves with what the server says to a page that wants to watch

watch("entry", () => entered?.(props.entry));

function ticket(mine) {
  return new Promise((done) => {
    entered = (entry) => {
      entered = null;
      if (run !== mine) return done(null);
      if (entry.ticket) return done(entry.ticket);
      stop("stopped");
      root.dataset.trouble = "1";
      root.dataset.state = "full";
      places.status.textContent = entry.problem;
      done(null);
    };
    trigger("submit");
  });
}

const ear = () => places.ear?.value ?? null; // null where there is no choice

async function start() {
  const mine = (run = {
    begun: performance.now(), ticket: null, streams: {}, trouble: {}, retries: [], audio: null, points: [], recent: [], stamps: [],
    count: 0, shownFrame: null, problem: null, text: places.text.value, ear: ear(), canvas: document.createElement("canvas"),
  });
  figures = null;
  places.video?.removeAttribute("poster");
  places.face.hidden = true;
  setState("loading");
  const ready = ticket(mine);
  if (!native) {
    if (navigator.mediaDevices?.getUserMedia) {
      setState("asking");
      await openBoth();
      if (run === mine && root.dataset.state === "asking") setState("loading");
    } else {
      mine.trouble = { camera: "insecure", microphone: "insecure" };
    }
  }
  mine.ticket = await ready;
  if (run !== mine || mine.ticket === null) return;
  mine.begun = performance.now();
  if (mine.audio) Object.assign(mine.audio, { chunks: [], size: 0, total: 0, origin: null });
  talk(mine);
}

// The picture stays as it was when Stop was pressed.
function freeze() {
  const video = places.video;
  if (!video?.srcObject || !video.videoWidth) return;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d", { alpha: false }).drawImage(video, 0, 0);
  video.poster = canvas.toDataURL("image/jpeg", JPEG_QUALITY);
}

function stop(state) {
  const mine = run;
  run = null;
  if (mine) {
    mine.retries.forEach(clearTimeout);
    freeze();
    Object.values(mine.streams).forEach((stream) => stream.getTracks().forEach((track) => track.stop()));
    silence(mine);
    if (mine.ticket) server.feed({ ticket: mine.ticket, leave: true }).catch(() => {});
  }
  if (places.video) places.video.srcObject = null;
  setState(state);
}

places.big.addEventListener("click", () => {
  places.big.setAttribute("aria-pressed", String(root.classList.toggle("hff-live-big")));
});

places.start.addEventListener("click", () => (run ? stop("stopped") : start()));
places.send.addEventListener("click", () => (run || figures) && trigger("select"));
let typing = null;
places.text.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => run && (run.text = places.text.value), 250);
});
places.ear?.addEventListener("change", () => run && (run.ear = ear()));
navigator.mediaDevices?.addEventListener("devicechange", () => {
  if (!run || native) return;
  for (const kind of ["camera", "microphone"]) if (run.trouble[kind] && run.trouble[kind] !== "denied") open(kind);
});
