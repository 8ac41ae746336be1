// Notices on this device: asks the browser's push service and names the answer to the gateway.

import { meaningOf } from "../refusals.js";
import { get, post, Refused } from "../requests.js";

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

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") return say(box.dataset.textDenied);
  const { public_key: key } = await get("/v1/push-devices/key");
  const registration = await navigator.serviceWorker.ready;
  const made = await registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: bytesOf(key),
  });
  const { endpoint, keys } = made.toJSON();
  const label = (navigator.userAgentData?.platform ?? navigator.platform ?? "").slice(0, LABEL_CHARACTERS_MAX);
  await post("/v1/push-devices", { endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth }, label });
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
      const why = error instanceof Refused ? await meaningOf(error.problem) : error.message;
      say(`${box.dataset.textFailed} ${why}`);
    } finally {
      button.disabled = false;
    }
  });
}
