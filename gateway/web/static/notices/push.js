// Notices on this device: asks the browser's push service and names the answer to the gateway.

import { meaningOf, saidOf, sentenceOf, showSaid } from "../refusals.js";
import { get, post, Refused } from "../requests.js";

const box = document.querySelector("[data-push]");
const button = box.querySelector("button");
const status = box.querySelector("[role=status]");
const LABEL_CHARACTERS_MAX = 60;

function bytesOf(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** What went wrong in the page's words; `said` is the English of the browser or the gateway. */
function say(text, said = "") {
  status.textContent = text;
  status.hidden = !text;
  showSaid(box, said);
}

/** A step of the browser's that failed; `kind` names the page's sentence about it. */
class NotSubscribed extends Error {
  constructor(kind, cause) {
    super(cause?.message ?? "", { cause });
    this.kind = kind;
  }
}

/**
 * Which sentence the browser's error has, by the names of the Push API (W3C, `subscribe()`): no permission,
 * a push service that is not there, a key it does not take, a key that is not the one it had before.
 */
const KINDS = {
  NotAllowedError: "denied", AbortError: "noService", NotSupportedError: "noService",
  InvalidAccessError: "key", InvalidCharacterError: "key", InvalidStateError: "key",
};

/** The browser's address for this gateway's key. */
async function subscription(key) {
  const registration = await navigator.serviceWorker.ready;
  try {
    return await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(key) });
  } catch (error) {
    throw new NotSubscribed(KINDS[error.name] ?? "failed", error);
  }
}

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") throw new NotSubscribed("denied");
  const { public_key: key } = await get("/v1/push-devices/key");
  const made = await subscription(key);
  const { endpoint, keys } = made.toJSON();
  const label = (navigator.userAgentData?.platform ?? navigator.platform ?? "").slice(0, LABEL_CHARACTERS_MAX);
  await post("/v1/push-devices", { endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth }, label });
  location.reload();
}

async function tell(error) {
  const texts = box.dataset;
  if (error instanceof Refused) return say(sentenceOf(await meaningOf(error.problem)), saidOf(error.problem));
  const sentences = { denied: texts.textDenied, noService: texts.textNoService, key: texts.textKey };
  return say(sentences[error.kind] ?? texts.textFailed, error.message);
}

if ("serviceWorker" in navigator && "PushManager" in window) {
  box.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    say("");
    try {
      await subscribe();
    } catch (error) {
      await tell(error);
    } finally {
      button.disabled = false;
    }
  });
}
