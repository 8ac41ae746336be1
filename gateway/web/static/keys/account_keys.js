// Keys and devices of a household: what this browser has, what the ledger names, and more of both.

import { get, post } from "../requests.js";
import { agentFile, limitsOf } from "./agent_key.js";
import { comparisonCode, keyPairFromPem, newKeyPair } from "./key_pair.js";
import { forgetKey, keepKey, storedKeys } from "./key_store.js";
import { attempt, canMakeKeys, pageError } from "./page_problem.js";
import { keyPairFromPhrase, newPhrase, problemWith, wordList } from "./phrase.js";
import { amount, instant } from "./plain_words.js";
import { isTold, pageFacts, sign } from "./sign.js";
import { signingRequest } from "./signing_request.js";

const ASK_AGAIN_MS = 2_000;
const UTOKEN_PER_TOKEN = 1_000_000n;
const WH_PER_KWH = 1000n;
const MS_PER_MINUTE = 60_000;

const box = document.getElementById("keys");
const part = (name) => box.querySelector(`[data-part="${name}"]`);
const { idgrid } = document.getElementById("sign-dialog").dataset;
const language = (document.documentElement.lang || "en").split("-")[0];
let timer = 0;

async function show() {
  const own = (await storedKeys()).filter((key) => key.idgrid === idgrid);
  const [named, asking] = await Promise.all([get("/v1/keys"), get("/v1/keys/requests")]);
  const signing = own.filter((key) => key.certificatePem).pop();
  const waiting = signing ? undefined : own.filter((key) => key.requestPem).pop();
  const status = part("this-browser");
  const said = signing ? "textHas" : waiting ? "textWaits" : "textNone";
  status.textContent = status.dataset[said];
  part("comparison").textContent = waiting ? comparisonCode(waiting.fingerprint) : "";
  part("comparison").hidden = !waiting;
  part("get-key").hidden = Boolean(signing);
  part("with-key").hidden = !signing;
  showNamed(named.items, own);
  showAsking(asking.items, signing);
  const isNamed = named.items.some((key) => key.fingerprint === waiting?.fingerprint);
  if (waiting && isNamed) await fetchCertificate(waiting);
  else if (waiting || signing) askAgain();
}

/** What other devices do shows here too. */
function askAgain() {
  clearTimeout(timer);
  timer = setTimeout(() => show().catch(askAgain), ASK_AGAIN_MS);
}

function showNamed(items, own) {
  const list = part("named");
  const texts = list.dataset;
  const here = new Set(own.map((key) => key.fingerprint));
  list.replaceChildren(...items.map((key) => {
    const row = document.createElement("li");
    const what = document.createElement("div");
    const name = document.createElement("strong");
    const about = document.createElement("span");
    const state = document.createElement("span");
    const kind = key.kind === "agent" ? texts.textAgent : texts.textKey;
    name.textContent = key.label || `${kind} ${key.fingerprint.slice(0, 8)}`;
    about.className = "quiet";
    about.textContent = [comparisonCode(key.fingerprint),
      here.has(key.fingerprint) ? texts.textHere : "",
      key.limits ? inWords(key.limits, texts) : ""].filter(Boolean).join(" · ");
    state.className = `state ${{ active: "good", waiting: "warn", ended: "" }[key.state]}`;
    state.textContent = { active: texts.textActive, waiting: texts.textWaiting, ended: texts.textEnded }[key.state];
    what.append(name, document.createElement("br"), about);
    row.append(what, state);
    if (key.state !== "ended") {
      const text = key.kind === "agent" ? texts.textOff : texts.textRevoke;
      row.append(button(text, "second", () => revoke(key)));
    }
    row.dataset.fingerprint = key.fingerprint;
    return row;
  }));
}

/** The limits of an agent's key in a sentence. */
function inWords(limits, texts) {
  const format = pageFacts();
  const { locale } = format;
  const tokens = (utoken) => amount(BigInt(utoken), UTOKEN_PER_TOKEN, locale);
  const kwh = (wh) => amount(BigInt(wh), WH_PER_KWH, locale);
  const lowest = limits.offer_price_min_utoken_per_kwh;
  return (lowest === null ? texts.textBuysOnly : texts.textTrades)
    .replace("{buys}", tokens(limits.bid_price_max_utoken_per_kwh))
    .replace("{sells}", lowest === null ? "" : tokens(lowest))
    .replace("{hour}", kwh(limits.hour_wh_max)).replace("{day}", kwh(limits.day_wh_max))
    .replace("{until}", instant(limits.until_ms, format));
}

function showAsking(items, signing) {
  const list = part("asking");
  const texts = list.dataset;
  list.replaceChildren(...items.filter((item) => signing && item.fingerprint !== signing.fingerprint)
    .map((item) => {
      const row = document.createElement("li");
      const what = document.createElement("div");
      const code = document.createElement("strong");
      code.textContent = comparisonCode(item.fingerprint);
      what.append(item.label || texts.textUnnamed, document.createElement("br"), code);
      const buttons = document.createElement("span");
      buttons.className = "buttons wide";
      buttons.append(
        button(texts.textAdd, "", () => add(item.fingerprint)),
        button(texts.textRefuse, "second", () => refuse(item.request_id)),
      );
      row.append(what, buttons);
      return row;
    }));
}

function button(text, kind, work) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  made.addEventListener("click", () => work());
  return made;
}

/** Sign and show anew; null unless it is on the ledger, which the dialog has told already. */
async function signAndShow(name, args) {
  try {
    return await sign(name, args);
  } catch (error) {
    if (!isTold(error)) throw error;
    return null;
  } finally {
    await show();
  }
}

const add = (fingerprint) => signAndShow("signers:add", [fingerprint, "device"]);

async function revoke(key) {
  const done = await signAndShow("signers:revoke", [idgrid, key.fingerprint]);
  if (done) await forgetKey(key.fingerprint).then(show);
}

const refuse = (requestId) => attempt(box, async () => {
  await post(`/v1/keys/requests/${requestId}/refuse`, {});
  await show();
});

/** A new key of this browser that another device is asked to add. */
async function ask() {
  if (!canMakeKeys) throw pageError("not-allowed");
  const pair = await newKeyPair();
  const requestPem = await signingRequest({ ...pair, commonName: idgrid });
  await post("/v1/keys/requests", { request_pem: requestPem, label: deviceLabel() });
  await keepKey(entry(pair, { requestPem }));
  await show();
}

const deviceLabel = () => navigator.userAgentData?.platform || navigator.platform || "";

function entry(pair, more) {
  return { ...pair, idgrid, mspid: "", certificatePem: "", createdMs: Date.now(), ...more };
}

/** The certificate of a key that another device has added meanwhile. */
async function fetchCertificate(key) {
  await keepKey(await certified(key, key.requestPem));
  await show();
}

async function certified(key, requestPem) {
  const found = await post("/v1/keys/certificates", { request_pem: requestPem });
  const { requestPem: _done, ...kept } = key;
  return { ...kept, mspid: found.mspid, certificatePem: found.certificate_pem };
}

/** A key that was made elsewhere and that the ledger names already. */
async function useImported(pair) {
  const requestPem = await signingRequest({ ...pair, commonName: idgrid });
  await keepKey(await certified(entry(pair, {}), requestPem));
  await show();
}

async function usePhrase(form) {
  const problem = await problemWith(form.elements.phrase.value, await wordList(language));
  if (problem) throw pageError(`phrase-${problem.kind}`, problem.word);
  await useImported(await keyPairFromPhrase(form.elements.phrase.value));
  form.reset();
}

async function useFile(form) {
  let pair;
  try {
    pair = await keyPairFromPem(await form.elements.file.files[0].text());
  } catch {
    throw pageError("key-file");
  }
  await useImported(pair);
  form.reset();
}

/** A phrase's key becomes one more key of the household; the words are shown, and kept nowhere. */
async function writePhrase() {
  const phrase = await newPhrase(await wordList(language));
  const { fingerprint } = await keyPairFromPhrase(phrase);
  if (!(await signAndShow("signers:add", [fingerprint, "device"]))) return;
  part("phrase").textContent = phrase;
  part("phrase").hidden = false;
}

/** A key for an agent, with limits on the ledger; its file is offered once. */
async function makeAgent(form) {
  const file = await agentFile({ idgrid, limits: limitsOf(form), sign: signAndShow });
  if (!file) return;
  const link = part("agent-file");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([file.text], { type: "application/json" }));
  link.download = file.name;
  part("agent").hidden = false;
  form.reset();
  await show();
}

const ACTIONS = {
  ask, phrase: usePhrase, file: useFile, "new-phrase": writePhrase, agent: makeAgent,
};

function onAction(event) {
  const asked = event.target.closest("[data-action]");
  if (!asked || (asked instanceof HTMLFormElement) !== (event.type === "submit")) return;
  event.preventDefault();
  attempt(box, () => ACTIONS[asked.dataset.action](asked));
}

box.addEventListener("click", onAction);
box.addEventListener("submit", onAction);
if (pageFacts().idgrid) attempt(box, show);
