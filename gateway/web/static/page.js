// Countdown and live refresh. The page is complete without this script; it only keeps it fresh.
"use strict";

const COUNTDOWN_STEP_MS = 250;
const REFRESH_GAP_MS = 400;
const clockOffsetMs = Number(document.body.dataset.nowMs) - Date.now();

function countdownText(remainingMs) {
  if (remainingMs <= 0) return "closed";
  const seconds = Math.ceil(remainingMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function showCountdowns() {
  const nowMs = Date.now() + clockOffsetMs;
  for (const element of document.querySelectorAll("[data-countdown-ms]")) {
    const text = countdownText(Number(element.dataset.countdownMs) - nowMs);
    if (element.textContent !== text) element.textContent = text;
  }
}

async function refresh() {
  const response = await fetch("/live", { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const section of fresh.querySelectorAll("[data-live]")) {
    const shown = document.getElementById(section.id);
    if (!shown) {
      document.getElementById("main").append(section);
    } else if (shown.innerHTML !== section.innerHTML) {
      const places = [...shown.querySelectorAll(".scroll")].map((box) => box.scrollTop);
      shown.innerHTML = section.innerHTML;
      shown.querySelectorAll(".scroll").forEach((box, at) => { box.scrollTop = places[at] || 0; });
    }
  }
  showCountdowns();
}

let refreshTimer = null;
let isRefreshing = false;
function refreshSoon() {
  if (refreshTimer !== null) return;
  refreshTimer = setTimeout(async () => {
    refreshTimer = null;
    if (isRefreshing) { refreshSoon(); return; }
    isRefreshing = true;
    try { await refresh(); } finally { isRefreshing = false; }
  }, REFRESH_GAP_MS);
}

function showLinkState(state, text) {
  const element = document.getElementById("link-state");
  element.dataset.state = state;
  element.textContent = text;
}

const events = new EventSource("/v1/events");
events.addEventListener("open", () => showLinkState("live", "Live"));
events.addEventListener("block", refreshSoon);
events.addEventListener("error", () => showLinkState("off", "Connection lost, trying again"));

setInterval(showCountdowns, COUNTDOWN_STEP_MS);
showCountdowns();
