// Takes the page anew after each change: at most twice a second, and less often the longer it takes.
"use strict";
let due = false;
let pause = 500;
async function refresh() {
  const began = performance.now();
  due = false;
  const answer = await fetch("/");
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("main").replaceWith(fresh.querySelector("main"));
  pause = Math.max(500, 20 * (performance.now() - began));
}
const events = new EventSource("/api/v1/events");
events.addEventListener("change", () => {
  if (due) return;
  due = true;
  setTimeout(() => refresh().catch(() => {}), pause);
});
events.addEventListener("error", () => document.body.classList.add("lost"));
events.addEventListener("open", () => document.body.classList.remove("lost"));
