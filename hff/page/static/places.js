// A view, a lesson and a state of the lab have an address: Back, Forward and a reload keep the place.
//
// Runs as gr.HTML's js_on_load. Views are the address' part after "#", a lesson and a state its parameters; what else
// stands in the address stays. A lesson that was come back to is begun anew, at its question.

const LOOK_MS = 100; // between two looks for what Gradio has not put there yet
const LATEST_MS = 20000; // after which nothing more is waited for
const SETTLE_MS = 1500; // in which what is pressed belongs to a place that was come back to

let first = ""; // the view of an address that names none
let coming = 0; // until when, ms: what is pressed until then is no new place
let going = ""; // the view that an address asks for, until it is open or the visitor presses something

const tabs = () => [...document.querySelectorAll("#hff-views > .tab-wrapper [role=tab]")];
const view = () => tabs().find((tab) => tab.getAttribute("aria-selected") === "true")?.dataset.tabId;
const lesson = () => document.querySelector("#hff-lesson-card [data-lesson]")?.dataset.lesson ?? "";

function address(changes, hash) {
  const parameters = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) parameters.set(name, value);
    else parameters.delete(name);
  }
  const search = parameters.size ? `?${parameters}` : "";
  return `${location.pathname}${search}#${hash}`;
}

function placed() {
  const now = view();
  if (!now || performance.now() < coming) return;
  const known = new URLSearchParams(location.search);
  const on = now === "lab" ? lesson() : "";
  const next = address({ lesson: on, lab: now === "lab" && !on && known.get("lab") }, now);
  if (next === location.pathname + location.search + location.hash) return;
  // Gradio says anew which tab is open as it draws the page: that is no step of a visitor's.
  if (now === first && !location.hash && !location.search) return;
  history.pushState(null, "", next);
}

// Pressed again until it is open and stays so: a page that is still being drawn does not listen yet, and on a busy machine
// that takes longer than a visitor who has pressed something else would want to wait.
function open(wanted, latest) {
  if (going !== wanted || performance.now() > latest) return;
  if (view() !== wanted) {
    coming = performance.now() + SETTLE_MS;
    tabs().find((one) => one.dataset.tabId === wanted)?.click();
  } else if (performance.now() > coming) return;
  setTimeout(open, LOOK_MS, wanted, latest);
}

// A visitor's own press is the newest wish.
function pressed(event) {
  if (event.isTrusted) going = "";
}

function arrive() {
  const parameters = new URLSearchParams(location.search);
  const wanted = parameters.get("lesson") ?? "";
  const to = wanted || parameters.get("lab") ? "lab" : location.hash.slice(1) || first;
  coming = performance.now() + SETTLE_MS;
  going = to;
  open(to, performance.now() + LATEST_MS);
  setTimeout(() => !going && view() !== to && placed(), SETTLE_MS + LOOK_MS); // another view was pressed meanwhile
  if (to === "lab" && wanted !== lesson()) choose(wanted ? `hff-lesson-${wanted}` : "hff-lesson-all", performance.now() + LATEST_MS);
}

// The lab's buttons come when its tab is first shown.
function choose(id, latest) {
  const button = document.getElementById(id);
  if (button) button.click();
  else if (performance.now() < latest) setTimeout(choose, LOOK_MS, id, latest);
}

function state(event) {
  if (view() !== "lab") return;
  const found = URL.canParse(event.detail) ? new URL(event.detail).searchParams : new URLSearchParams();
  history.replaceState(null, "", address({ lesson: found.get("lesson"), lab: found.get("lab") }, "lab"));
}

// Arrow keys, Home and End move between tabs.
function arrows(event) {
  const tab = event.target.closest?.("[role=tab]");
  const all = [...(tab?.closest("[role=tablist]")?.querySelectorAll("[role=tab]:not([aria-disabled=true])") ?? [])];
  const at = all.indexOf(tab);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  const next = all[(to + all.length) % all.length];
  next.click();
  next.focus();
}

function watch(found, what, then) {
  const place = document.querySelector(found);
  if (!place) return setTimeout(watch, LOOK_MS, found, what, then);
  new MutationObserver(placed).observe(place, what);
  return then?.();
}

watch("#hff-views", { subtree: true, attributeFilter: ["aria-selected"] }, () => {
  first = view() ?? "";
  if (location.hash && !location.search) arrive();
});
watch("#hff-lesson-card", { subtree: true, childList: true });
addEventListener("popstate", arrive);
addEventListener("hff-state", state);
addEventListener("keydown", arrows);
addEventListener("pointerdown", pressed, true);
addEventListener("keydown", pressed, true);
