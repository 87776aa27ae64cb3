// Takes the page anew after each change, at most twice a second.
"use strict";
let due = false;
async function refresh() {
  due = false;
  const answer = await fetch("/");
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("main").replaceWith(fresh.querySelector("main"));
}
const events = new EventSource("/api/v1/events");
events.addEventListener("change", () => {
  if (due) return;
  due = true;
  setTimeout(() => refresh().catch(() => {}), 500);
});
events.addEventListener("error", () => document.body.classList.add("lost"));
events.addEventListener("open", () => document.body.classList.remove("lost"));
