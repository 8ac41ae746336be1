// Ways to sign in of who is signed in, a household or staff: passkeys, open sessions, password, links.

import { get, post, send } from "../requests.js";
import { attempt } from "./page_problem.js";
import { addPasskey, hasPasskeys } from "./passkey.js";
import { instant } from "./plain_words.js";
import { pageFacts } from "./sign.js";

const box = document.getElementById("ways-in");
const part = (name) => box.querySelector(`[data-part="${name}"]`);
const time = (timeMs) => instant(timeMs, pageFacts());

async function show() {
  const [passkeys, sessions] = await Promise.all([get("/v1/passkeys"), get("/v1/sessions")]);
  const { textRemove, textUnnamed, textSince } = part("passkeys").dataset;
  part("passkeys").replaceChildren(...passkeys.items.map((one) => row({
    name: one.label || textUnnamed,
    about: textSince.replace("{time}", time(one.created_ms)),
    action: button(textRemove, () => remove(`/v1/passkeys/${one.passkey_id}`)),
  })));
  part("no-passkeys").hidden = passkeys.items.length > 0;
  part("sessions").replaceChildren(...sessions.items.map(sessionRow));
}

function sessionRow(one) {
  const texts = part("sessions").dataset;
  const ways = { link: texts.textLink, letter: texts.textLetter, key: texts.textKey,
    passkey: texts.textPasskey, password: texts.textPassword };
  const span = texts.textUntil.replace("{opened}", time(one.opened_ms)).replace("{expires}", time(one.expires_ms));
  return row({
    name: [ways[one.way] ?? texts.textUnknown, one.label].filter(Boolean).join(": "),
    about: [span, one.is_this ? texts.textThis : ""].filter(Boolean).join(" · "),
    action: one.is_this ? "" : button(texts.textEnd, () => remove(`/v1/sessions/${one.session_id}`)),
  });
}

function row({ name, about, action }) {
  const line = document.createElement("li");
  const what = document.createElement("div");
  const title = document.createElement("strong");
  const detail = document.createElement("span");
  title.textContent = name;
  detail.className = "quiet";
  detail.textContent = about;
  what.append(title, document.createElement("br"), detail);
  line.append(what, action);
  return line;
}

function button(text, work) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "second";
  made.textContent = text;
  made.addEventListener("click", () => attempt(box, work));
  return made;
}

async function remove(path) {
  await send("DELETE", path);
  await show();
}

function tell(what) {
  part("done").textContent = part("done").dataset[what];
  part("done").hidden = false;
}

async function makePasskey(form) {
  await addPasskey(form.elements.label.value.trim());
  tell("textPasskey");
  await show();
}

async function setPassword(form) {
  const { current, password } = form.elements;
  await send("PUT", "/v1/password", { current: current.value, password: password.value });
  form.reset();
  tell("textPassword");
  await show();
}

async function makeLink() {
  const { url } = await post("/v1/login/links", {});
  part("link").textContent = url;
  part("link").hidden = false;
}

const ACTIONS = { "add-passkey": makePasskey, "set-password": setPassword, link: makeLink };

function onAction(event) {
  const asked = event.target.closest("[data-action]");
  if (!asked || (asked instanceof HTMLFormElement) !== (event.type === "submit")) return;
  event.preventDefault();
  attempt(box, () => ACTIONS[asked.dataset.action](asked));
}

box.addEventListener("click", onAction);
box.addEventListener("submit", onAction);
part("passkey").hidden = !hasPasskeys;
part("no-address").hidden = hasPasskeys;
if (pageFacts().idgrid) {
  part("passkey").elements.label.value = navigator.userAgentData?.platform || navigator.platform || "";
}
attempt(box, show);
