/* Scrolls a lineage picture that is wider than its card to the node in focus; keeps the keyboard in a lane
   that was opened, where the box that opened it is gone. */
"use strict";

function showFocus() {
  const picture = document.getElementById("picture");
  const box = picture?.querySelector("[aria-current]")?.closest("foreignObject");
  if (!box) return;
  const left = box.x.baseVal.value;
  const right = left + box.width.baseVal.value + 16;
  if (right > picture.clientWidth || left < picture.scrollLeft) picture.scrollLeft = right - picture.clientWidth;
}

showFocus();
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.closest(".detail")) return;
  showFocus();
  if (document.activeElement !== document.body) return;
  document.querySelector("#picture [data-opened] .box, #picture [aria-current]")?.focus();
});
