// Notices on this device: asks the browser's push service and names the answer to the gateway.
"use strict";

const box = document.querySelector("[data-push]");
const button = box.querySelector("button");
const status = box.querySelector("[role=status]");
const LABEL_CHARACTERS_MAX = 60;

function bytesOf(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function say(text) {
  status.textContent = text;
  status.hidden = !text;
}

async function answerOf(response) {
  if (!response.ok) throw new Error((await response.json()).detail);
  return response.json();
}

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") return say(box.dataset.textDenied);
  const { public_key: key } = await answerOf(await fetch("/v1/push-devices/key"));
  const registration = await navigator.serviceWorker.ready;
  const made = await registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: bytesOf(key),
  });
  const { endpoint, keys } = made.toJSON();
  const label = (navigator.userAgentData?.platform ?? navigator.platform ?? "").slice(0, LABEL_CHARACTERS_MAX);
  await answerOf(await fetch("/v1/push-devices", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth }, label }),
  }));
  location.reload();
}

if ("serviceWorker" in navigator && "PushManager" in window) {
  box.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    say("");
    try {
      await subscribe();
    } catch (error) {
      say(`${box.dataset.textFailed} ${error.message}`);
    } finally {
      button.disabled = false;
    }
  });
}
