// The manager's side: letters, and keys that wait. What goes on the ledger is signed in this browser.

import { get, post } from "../requests.js";
import { keyPairFromPem } from "./key_pair.js";
import { forgetKey, keepKey, storedKeys } from "./key_store.js";
import { showLetter } from "./letter.js";
import { attempt, pageError } from "./page_problem.js";
import { sign } from "./sign.js";

const ASK_AGAIN_MS = 3_000;
const page = document.getElementById("manager-keys");
const part = (name) => page.querySelector(`[data-part="${name}"]`);
let shown = "";

async function staffKeys() {
  return (await storedKeys()).filter((key) => key.idgrid === "");
}

async function showOwnKey() {
  const has = (await staffKeys()).some((key) => key.certificatePem);
  for (const told of [part("own-key"), part("which-key")]) {
    told.textContent = has ? told.dataset.textHas : told.dataset.textNone;
  }
  part("replaces").hidden = !has;
  part("another-key").open = !has;
}

/** The browser signs with one staff key at a time, the one chosen last. */
async function useOwnKey(form) {
  const { certificate, file, mspid } = form.elements;
  const former = await staffKeys();
  let pair;
  try {
    pair = await keyPairFromPem(await file.files[0].text());
  } catch {
    throw pageError("key-file");
  }
  await keepKey({
    ...pair, idgrid: "", mspid: mspid.value.trim(), certificatePem: await certificate.files[0].text(),
    createdMs: Date.now(),
  });
  const replaced = former.filter((key) => key.fingerprint !== pair.fingerprint);
  await Promise.all(replaced.map((key) => forgetKey(key.fingerprint)));
  form.reset();
  await showOwnKey();
}

async function writeLetter(form) {
  const { idgrid, purpose } = form.elements;
  const letter = await post("/v1/letters", {
    idgrid: idgrid.value.trim().toUpperCase(), purpose: purpose.value,
  });
  showLetter(letter);
}

async function showWaiting() {
  const { items } = await get("/v1/enrolments");
  const fresh = items.map((item) => item.request_id).join();
  part("none").hidden = items.length > 0;
  if (fresh === shown) return; // what is being typed stays
  shown = fresh;
  part("waiting").replaceChildren(...items.map(row));
}

function row(item) {
  const texts = part("waiting").dataset;
  const line = document.createElement("li");
  const what = document.createElement("div");
  const name = document.createElement("strong");
  name.textContent = item.idgrid;
  const purpose = item.purpose === "recover" ? texts.textRecover : texts.textEnrol;
  what.append(name, document.createElement("br"), [purpose, item.label].filter(Boolean).join(" · "));
  const form = document.createElement("form");
  form.className = "fields wide";
  form.dataset.action = "approve";
  const field = document.createElement("p");
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.name = "letters";
  input.id = `letters-${item.request_id}`;
  input.required = true;
  input.maxLength = 20;
  input.autocomplete = "off";
  label.htmlFor = input.id;
  label.textContent = texts.textLetters;
  field.append(label, input);
  const buttons = document.createElement("p");
  buttons.className = "buttons";
  const approveButton = document.createElement("button");
  approveButton.textContent = texts.textApprove;
  const refuseButton = document.createElement("button");
  refuseButton.type = "button";
  refuseButton.className = "second";
  refuseButton.textContent = texts.textRefuse;
  refuseButton.addEventListener("click", () => attempt(page, () => refuse(item)));
  buttons.append(approveButton, refuseButton);
  form.append(field, buttons);
  form.item = item;
  line.append(what, form);
  return line;
}

/** Enter the key on the ledger, signed here, then have it certified. */
async function approve(form) {
  const { item } = form;
  const letters = form.elements.letters.value;
  const compared = await post(
    `/v1/enrolments/${item.request_id}/compare`, { comparison_code: letters },
  );
  const name = item.purpose === "recover" ? "signers:recover" : "signers:enrol";
  if (!compared.is_named && !(await sign(name, [item.idgrid, item.fingerprint]))) return;
  await post(`/v1/enrolments/${item.request_id}/approve`, { comparison_code: letters });
  await showWaiting();
}

async function refuse(item) {
  await post(`/v1/enrolments/${item.request_id}/refuse`, {});
  await showWaiting();
}

const FORMS = { letter: writeLetter, approve, "own-key": useOwnKey };

page.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(page, () => FORMS[event.target.dataset.action](event.target));
});

async function follow() {
  await attempt(page, async () => { await showOwnKey(); await showWaiting(); });
  setInterval(() => showWaiting().catch(() => undefined), ASK_AGAIN_MS);
}

follow();
