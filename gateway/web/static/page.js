// Countdown, live refresh, the worker of the installed app. Every page is complete without it.
"use strict";

const COUNTDOWN_STEP_MS = 250;
const LAST_MINUTE_S = 60;
const HOUR_MIN = 60;
const clockOffsetMs = Number(document.body.dataset.nowMs) - Date.now();

function unit(value, name) {
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: name, unitDisplay: "narrow" }).format(value);
}

function countdownText(remainingMs) {
  if (remainingMs <= 0) return document.body.dataset.textClosed;
  const seconds = Math.ceil(remainingMs / 1000);
  if (seconds < LAST_MINUTE_S) return unit(seconds, "second");
  const minutes = Math.floor(seconds / 60);
  if (minutes < HOUR_MIN) return `${unit(minutes, "minute")} ${unit(seconds % 60, "second")}`;
  return `${unit(Math.floor(minutes / 60), "hour")} ${unit(minutes % 60, "minute")}`;
}

function showCountdowns() {
  const nowMs = Date.now() + clockOffsetMs;
  for (const element of document.querySelectorAll("[data-countdown-ms]")) {
    const text = countdownText(Number(element.dataset.countdownMs) - nowMs);
    if (element.textContent !== text) element.textContent = text;
  }
}

function showLinkState(state, text) {
  const element = document.getElementById("link-state");
  element.dataset.state = state;
  element.textContent = text;
}

// A page with something live asks for the blocks after the ones it shows; its parts fetch themselves
// anew on "ledger-block".
if (document.querySelector("[data-live]")) {
  const events = new EventSource(`/v1/events?after=${document.body.dataset.newestBlock}`);
  events.addEventListener("open", () => showLinkState("live", document.body.dataset.textLive));
  events.addEventListener("error", () => showLinkState("off", document.body.dataset.textLost));
  events.addEventListener("block", () => document.body.dispatchEvent(new Event("ledger-block")));
  document.body.addEventListener("htmx:after:swap", showCountdowns);
} else {
  document.getElementById("link-state").hidden = true;
}

setInterval(showCountdowns, COUNTDOWN_STEP_MS);
showCountdowns();

if ("serviceWorker" in navigator && window.isSecureContext) {
  window.addEventListener("load", () => navigator.serviceWorker.register("/service-worker.js"));
}

// The script that signs may come later than a quick hand: what is sent before it is there waits.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset?.sign || document.readyState === "complete") return;
  event.preventDefault();
  event.stopImmediatePropagation();
  window.addEventListener("load", () => form.requestSubmit(), { once: true });
}, { capture: true });
