// A figure typed into a slider's field counts as soon as it lies between the slider's ends. What lies beyond, or an empty
// field, is the nearer end once the field is left or Enter is pressed: Gradio would send it, and show its own error.
//
// Runs as gr.HTML's js_on_load.

const field = (event) => event.target.closest?.("#hff-lab-left input[type=number][min][max]");
const nearest = (one) => Math.min(Math.max(one.valueAsNumber || 0, Number(one.min)), Number(one.max));
const fits = (one) => one.valueAsNumber === nearest(one);

addEventListener("input", (event) => {
  const typed = field(event);
  if (typed && !fits(typed)) event.stopImmediatePropagation();
}, true);

addEventListener("change", (event) => {
  const left = field(event);
  if (!left || fits(left)) return;
  left.value = String(nearest(left));
  left.dispatchEvent(new Event("input", { bubbles: true }));
}, true);
