// The form works without this file. With it, a screen reader starts at a problem that belongs to
// no field, and a second press of the button does not send the form again.
"use strict";

const summary = document.getElementById("summary");
if (summary && !document.querySelector("[autofocus]")) {
  summary.focus();
}

const form = document.querySelector("form");
const button = form.querySelector("button");
form.addEventListener("submit", (event) => {
  if (button.getAttribute("aria-busy") === "true") {
    event.preventDefault();
    return;
  }
  button.setAttribute("aria-busy", "true");
  button.textContent = "Sending…";
});

// Back from the next page, the browser may show this one as it was left.
window.addEventListener("pageshow", () => {
  button.removeAttribute("aria-busy");
  button.textContent = "Register";
});
