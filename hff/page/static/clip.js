// What the Clip view's inputs do in the browser beside what Gradio does: Analyse waits for a file that is still on its
// way, and a film that is being recorded has a clock and an end. Runs as gr.HTML's js_on_load: props are Gradio's.

const LOOK = 200; // ms between two looks
const inputs = document.getElementById("hff-inputs");

// ---- Analyse never reads what was there before the chosen file ----------------------------------------------

const onItsWay = () => inputs.querySelector(".uploading") !== null;

inputs.addEventListener("click", (event) => {
  const button = event.target.closest("#hff-analyse");
  if (!button || !onItsWay()) return;
  event.stopImmediatePropagation();
  event.preventDefault();
  if (button.dataset.held) return;
  button.dataset.held = "yes";
  const looking = setInterval(() => {
    if (onItsWay()) return;
    clearInterval(looking);
    delete button.dataset.held;
    setTimeout(() => button.click(), LOOK); // by then Gradio has put the file into the component
  }, LOOK);
}, true);

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
