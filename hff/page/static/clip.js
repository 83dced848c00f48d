// What the Clip view's inputs do in the browser beside what Gradio does: Analyse waits for a file that is still on its
// way, and a film that is being recorded has a clock and an end. Runs as gr.HTML's js_on_load: props are Gradio's.

const LOOK = 100; // ms between two looks
const ARRIVAL = 5000; // ms after which an uploaded file is not waited for any more: another one has taken its place
const inputs = document.getElementById("hff-inputs");

// ---- Analyse never reads what was there before the chosen or recorded file ----------------------------------

const sending = new Set(); // uploads that are not answered yet
const awaited = new Set(); // paths of uploaded files that are not in their component yet
let failures = 0;

// Gradio shows that a chosen file is on its way, but not that a recording is: so its requests are looked at.
const ask = window.fetch;
window.fetch = (...request) => {
  const answer = ask(...request);
  const address = new URL(request[0]?.url ?? request[0], location.href);
  if (address.pathname.endsWith("/upload")) follow(answer);
  return answer;
};

async function follow(answer) {
  sending.add(answer);
  try {
    const response = await answer;
    if (!response.ok) throw new Error(response.statusText);
    for (const path of await response.clone().json()) {
      awaited.add(path);
      setTimeout(() => awaited.delete(path), ARRIVAL);
    }
  } catch {
    failures += 1; // Gradio tells
  } finally {
    sending.delete(answer);
  }
}

addEventListener("hff-files", (event) => {
  for (const file of event.detail) awaited.delete(file?.path ?? file?.video?.path);
});

const onItsWay = () => sending.size > 0 || awaited.size > 0 || inputs.querySelector(".uploading") !== null;

inputs.addEventListener("click", (event) => {
  const button = event.target.closest("#hff-analyse");
  if (!button || !onItsWay()) return;
  event.stopImmediatePropagation();
  event.preventDefault();
  if (button.dataset.held) return;
  button.dataset.held = "yes";
  const failed = failures;
  const looking = setInterval(() => {
    if (onItsWay()) return;
    clearInterval(looking);
    delete button.dataset.held;
    if (failures === failed) button.click(); // else it would read something else than was wished
  }, LOOK);
}, true);

// ---- what Gradio says in English whatever the page's language -----------------------------------------------

function translate() {
  for (const button of inputs.querySelectorAll(".source-selection [aria-label]")) {
    const said = props.sources[button.getAttribute("aria-label")];
    if (said) button.setAttribute("aria-label", said);
  }
}

new MutationObserver(translate).observe(inputs, { childList: true, subtree: true });
translate();

// ---- the clock of a recording -------------------------------------------------------------------------------

const clock = document.createElement("span");
clock.className = "hff-clock";
clock.setAttribute("role", "timer");
let begun = null; // ms

const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds) % 60).padStart(2, "0")}`;

setInterval(() => {
  const stop = inputs.querySelector('#hff-video .capture-button:has([title="stop recording"])');
  if (!stop) {
    begun = null;
    clock.remove();
    return;
  }
  begun ??= performance.now();
  const seconds = (performance.now() - begun) / 1000;
  clock.textContent = props.clock.replace("{time}", minutes(seconds)).replace("{limit}", minutes(props.longest));
  if (!clock.isConnected) stop.parentElement.append(clock);
  if (seconds >= props.longest) {
    begun = Infinity; // pressed once
    stop.click();
  }
}, LOOK);
