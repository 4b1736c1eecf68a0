/* Copy buttons, the "/" key, and answers of status 422 to htmx. All else is plain HTML. */
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-link]");
  if (!button) return;
  const text = button.dataset.copy ?? location.href;
  const spoken = document.getElementById("spoken");
  try {
    await navigator.clipboard.writeText(text);
    button.dataset.done = "";
    spoken.textContent = "Copied";
    setTimeout(() => {
      delete button.dataset.done;
      spoken.textContent = "";
    }, 1500);
  } catch {
    spoken.textContent = "Copying is not possible here; select the text instead";
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const search = document.getElementById("search");
  if (!search) return;
  event.preventDefault();
  search.focus();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = event.target.closest("details.account[open], details.menu[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 422) event.detail.shouldSwap = true;
});
