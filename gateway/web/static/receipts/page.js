// The page "Check this receipt": takes a file or a link, shows each step of the check.
// The list of validators is kept in this browser; a gateway cannot change it unnoticed.

import { checkReceipt, fingerprint, readValidators } from "./check-receipt.js";
import { ReceiptRefused, hex } from "./receipt-file.js";
import { readWrite } from "./receipt-words.js";

const KEPT = "gridledger.validators";
const VALIDATORS_URL = "/v1/validators";
const CODES = { 0: "VALID", 10: "ENDORSEMENT_POLICY_FAILURE", 11: "MVCC_READ_CONFLICT", 12: "PHANTOM_READ_CONFLICT" };
/** Plain English is written the British way, as on all pages. */
const LOCALE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const by = (id) => document.getElementById(id);
const show = (id, isShown) => {
  by(id).hidden = !isShown;
};

let trusted = null;

start();

async function start() {
  by("receipt-file").addEventListener("change", (event) => readFile(event.target, checkBytes));
  by("validators-file").addEventListener("change", (event) =>
    readFile(event.target, (bytes) => take(new TextDecoder().decode(bytes))),
  );
  window.addEventListener("hashchange", checkLink);
  await loadValidators();
  await checkLink();
  document.body.dataset.ready = "true";
}

/** The list kept here, brought up to date by the gateway's unless that contradicts it. */
async function loadValidators() {
  const kept = localStorage.getItem(KEPT);
  if (kept) await take(kept);
  if (!navigator.onLine) return show("no-validators", !kept);
  let offered;
  try {
    const answer = await fetch(VALIDATORS_URL, { credentials: "omit" });
    if (!answer.ok) return show("no-validators", !kept);
    offered = await answer.text();
  } catch {
    return show("no-validators", !kept); // no connection: the kept list serves
  }
  if (!kept || continues(JSON.parse(kept), JSON.parse(offered))) await take(offered);
  else show("other-validators", true);
}

/** Whether the new list says the same of all earlier blocks. */
function continues(kept, offered) {
  const same = kept.genesis_hash === offered.genesis_hash && kept.channel_id === offered.channel_id;
  return same && kept.sets.every((set, at) => JSON.stringify(set) === JSON.stringify(offered.sets[at]));
}

async function take(json) {
  try {
    trusted = await readValidators(json);
  } catch {
    return show("no-validators", !trusted);
  }
  localStorage.setItem(KEPT, json);
  show("no-validators", false);
  by("fingerprint").textContent = await fingerprint(trusted);
  const rows = trusted.sets.at(-1).validators.map((one) => {
    const row = document.createElement("li");
    row.textContent = `${one.id} · ${one.member}`;
    return row;
  });
  by("members").replaceChildren(...rows);
}

async function readFile(input, use) {
  const [file] = input.files;
  if (file) await use(new Uint8Array(await file.arrayBuffer()));
}

/** A receipt in the link's fragment, which browsers never send: #r=<base64url>. */
async function checkLink() {
  const link = new URLSearchParams(location.hash.slice(1));
  const packed = link.get("r");
  if (packed) {
    const text = atob(packed.replaceAll("-", "+").replaceAll("_", "/"));
    return checkBytes(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
  }
  const source = link.get("u");
  if (!source?.startsWith("/v1/")) return undefined;
  const answer = await fetch(source);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const digest = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  return answer.ok && digest === link.get("h") ? checkBytes(bytes) : refuse("file", "OTHER_ROOT");
}

async function checkBytes(bytes) {
  if (!trusted) return show("no-validators", true);
  try {
    tell(await checkReceipt(bytes, trusted));
  } catch (error) {
    if (!(error instanceof ReceiptRefused)) throw error;
    refuse(error.step, error.problem);
  }
  return undefined;
}

function refuse(step, problem) {
  begin(step);
  show("refused", true);
  by("why").textContent = document.querySelector(`[data-problem="${problem}"]`)?.textContent ?? problem;
}

function tell(proven) {
  begin(null);
  show("proven", true);
  show("content", true);
  show("newer", proven.isNewerThanTrust);
  fill("block", `${proven.blockNumber} · ${proven.channelId}`);
  fill("sealed_at", moment(proven.sealedAtMs));
  const members = proven.sealedBy.map((one) => one.member).join(", ");
  fill("sealed_by", `${proven.sealedBy.length}/${proven.validators}: ${members}`);
  fill("code", CODES[proven.transaction.code] ?? String(proven.transaction.code));
  fill("transaction", proven.transaction.txId);
  tellWrite(proven);
}

function tellWrite({ write, transaction }) {
  const value = write && new TextDecoder().decode(write.value);
  const read = write && readWrite(write.key, value);
  const isLine = read?.kind === "line" || read?.kind === "correction";
  const isDeal = read?.kind === "deal";
  show("line-words", isLine);
  show("correction-words", read?.kind === "correction");
  show("line", isLine);
  show("deal-words", isDeal);
  show("deal", isDeal);
  show("taken-words", !read && transaction.code === 0);
  show("not-taken-words", transaction.code !== 0);
  show("raw", write);
  if (write) fill("value", `${write.key}\n${value}`);
  if (!read) return;
  fill(isDeal ? "deal_hour" : "hour", moment(Date.parse(`${read.hour}:00:00Z`), { timeZone: "UTC" }));
  for (const [name, text] of Object.entries(read.names)) fill(name, text ?? "–");
  for (const [name, whole] of Object.entries(read.amounts)) fillAmount(name, whole);
  if (isDeal) fill("deal_state", document.querySelector(`[data-post-state="${read.state}"]`).textContent);
}

/** Show the steps; all before the failed one are good. */
function begin(failed) {
  show("verdict", true);
  for (const id of ["proven", "refused", "content"]) show(id, false);
  let state = "good";
  for (const row of by("steps").children) {
    const mark = row.querySelector(".state");
    if (row.dataset.step === failed) state = "bad";
    mark.className = `state ${state}`;
    mark.dataset.state = state;
    const words = { good: by("checked-word").textContent, bad: by("failed-word").textContent };
    mark.textContent = words[state] ?? "–";
    if (state === "bad") state = "";
  }
}

function moment(atMs, zone = {}) {
  return new Date(atMs).toLocaleString(LOCALE, { dateStyle: "medium", timeStyle: "short", ...zone });
}

/** In the unit that `data-per` of each place makes; a dash for what is not known yet. */
function fillAmount(name, whole) {
  for (const part of document.querySelectorAll(`[data-fill="${name}"][data-per]`)) {
    const amount = whole / Number(part.dataset.per);
    part.textContent = whole === null ? "–" : amount.toLocaleString(LOCALE, { maximumFractionDigits: 6 });
  }
}

function fill(name, text) {
  for (const part of document.querySelectorAll(`[data-fill="${name}"]`)) part.textContent = text;
}
