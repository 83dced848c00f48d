// The walk through the numbers: which part of the drawing is looked at, by click or by key.
//
// Runs as gr.HTML's js_on_load. The drawing and the parts below it come anew with every moment; the choice stays. In the
// drawing one block can be reached with Tab, arrow keys go on from there, as in a toolbar.

const walk = element.closest("#hff-walk");
let chosen = walk.querySelector("[data-block][aria-pressed=true]").dataset.block;
let held = ""; // the block that has the focus, which a new drawing would take from it

const blocks = () => [...walk.querySelectorAll("[data-block]")];
const seen = () => blocks().filter((block) => block.getClientRects().length); // of the drawing that fits the screen

function show() {
  for (const block of blocks()) {
    const on = block.dataset.block === chosen;
    if (block.getAttribute("aria-pressed") !== String(on)) block.setAttribute("aria-pressed", on);
    if (block.getAttribute("tabindex") !== (on ? "0" : "-1")) block.setAttribute("tabindex", on ? 0 : -1);
  }
  for (const part of walk.querySelectorAll("[data-part]")) part.hidden = part.dataset.part !== chosen;
}

function choose(block) {
  chosen = block.dataset.block;
  show();
  walk.querySelector(`[data-part="${chosen}"]`)?.scrollIntoView({ block: "nearest" });
}

function arrows(event) {
  const block = event.target.closest?.("[data-block]");
  if (!block) return;
  const all = seen();
  const at = all.indexOf(block);
  const to = {
    ArrowRight: at + 1,
    ArrowDown: at + 1,
    ArrowLeft: at - 1,
    ArrowUp: at - 1,
    Home: 0,
    End: all.length - 1,
    Enter: at,
    " ": at,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = all[(to + all.length) % all.length];
  choose(next);
  next.focus();
}

walk.addEventListener("click", (event) => {
  const block = event.target.closest?.("[data-block]");
  if (block) choose(block);
});
walk.addEventListener("keydown", arrows);
walk.addEventListener("focusin", (event) => (held = event.target.dataset?.block ?? ""));
new MutationObserver(() => {
  show();
  if (held && document.activeElement === document.body) {
    seen()
      .find((block) => block.dataset.block === held)
      ?.focus();
  }
}).observe(walk, { childList: true, subtree: true });
