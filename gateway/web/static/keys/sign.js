// Signing on a page: the dialog that shows what will be signed, and what became of it.
//
// Include the template `keys/sign_dialog.html` in the page and load this module. Then either call
//
//     await sign("market:place_bid", ["2026-01-15T10", "1500", "54000"]);
//
// or let a form do it, each field naming its place among the arguments and, for amounts that people
// write with decimals, how many units one of them has (kWh -> Wh: 1000, tokens -> micro-tokens: 1000000):
//
//     <form data-sign="market:place_bid">
//       <input name="hour" data-argument="0"> <input name="kwh" data-argument="1" data-units="1000">
//
// `sign` returns {transactionId, result, status} once the transaction is in a block, null when the
// person said no. Then, and only then, the document hears "ledger:committed". Everything else is shown in
// the dialog and thrown, so that no step follows: a refusal, a gateway that changed the order, and a
// transaction that was sent and is not on the ledger in time.

import { meaningOf, saidOf, sentenceOf, showSaid, showTransaction, transactionOf } from "../refusals.js";
import { get, Refused } from "../requests.js";
import { argumentsOf } from "./form_arguments.js";
import { storedKeys } from "./key_store.js";
import { NotConfirmed, signAndAsk, signAndSubmit, Tampered, Undecided } from "./ledger_client.js";
import { amount, plainWords } from "./plain_words.js";

const UTOKEN_PER_TOKEN = 1_000_000n;

/** How numbers and dates are written; plain English is written the British way, as on all pages. */
function languageTag() {
  const { lang } = document.documentElement;
  return lang && lang !== "en" ? lang : "en-GB";
}

/** Facts of the page: whose it is, how numbers are written, every sentence. */
export function pageFacts() {
  const dialog = document.getElementById("sign-dialog");
  return {
    dialog,
    idgrid: dialog.dataset.idgrid,
    utcOffsetMinutes: Number(dialog.dataset.utcOffsetMinutes),
    timeZone: dialog.dataset.timeZone,
    locale: languageTag(),
    words: JSON.parse(document.getElementById("sign-words").textContent),
  };
}

/** Show, sign, send, and show the outcome. `transient` are private values as bytes, by name. */
export async function sign(name, args, { transient = {} } = {}) {
  const page = pageFacts();
  const key = await neededKey(page);
  let done;
  try {
    const { channel_id: channelId, chaincode } = await get("/v1/channel");
    done = await signAndSubmit({
      key, channelId, chaincode, args: [name, ...args], transient,
      confirm: (opened) => confirmed(page, opened),
    });
  } catch (error) {
    if (error instanceof NotConfirmed) return null;
    showOutcome(page, await outcomeOf(error, page.words));
    throw error;
  }
  showOutcome(page, { outcome: "committed", text: page.words.committed, balance: await balanceText(page) });
  document.dispatchEvent(new CustomEvent("ledger:committed", { detail: { name, args, ...done } }));
  return done;
}

/** Whether an error is one that this dialog expects and has told the person. */
export const isTold = (error) => [Refused, Tampered, Undecided].some((kind) => error instanceof kind);

/** What the dialog shows of a transaction that is not on the ledger, or not yet. */
async function outcomeOf(error, words) {
  if (error instanceof Undecided) {
    return { outcome: "undecided", text: words.undecided, transactionId: transactionOf(error) };
  }
  if (error instanceof Tampered) return { outcome: "tampered", text: words.tampered, said: error.message };
  if (!(error instanceof Refused)) return { outcome: "failed", text: words.failed };
  const meaning = sentenceOf(await meaningOf(error.problem));
  const said = saidOf(error.problem);
  return { outcome: "refused", text: meaning || words.refused, said, transactionId: transactionOf(error) };
}

/** A contract's answer to a question of this browser's key; nothing goes on the ledger. */
export async function ask(name, args, { transient = {} } = {}) {
  const key = await neededKey(pageFacts());
  const { channel_id: channelId, chaincode } = await get("/v1/channel");
  return signAndAsk({ key, channelId, chaincode, args: [name, ...args], transient });
}

/** The key to sign with; without one the dialog says so, and `Refused` is thrown. */
async function neededKey(page) {
  const key = await keyOf(page);
  if (key) return key;
  showOutcome(page, { outcome: "no-key", text: page.words.no_key });
  throw new Refused({ title: page.words.no_key, code: "NO_KEY" });
}

/** This browser's newest usable key for the household; staff have no IDgrid. */
async function keyOf({ idgrid }) {
  const keys = (await storedKeys()).filter((key) => key.certificatePem && key.idgrid === idgrid);
  return keys.pop();
}

function confirmed({ dialog, ...facts }, opened) {
  const shown = plainWords(opened, facts);
  const part = (name) => dialog.querySelector(`[data-part="${name}"]`);
  delete part("outcome").dataset.outcome; // of what was signed before
  part("title").textContent = shown.title;
  part("unknown").hidden = shown.isKnown;
  part("lines").replaceChildren(...shown.lines.map(({ name, label, value }) => {
    const line = document.createElement("div");
    const term = document.createElement("dt");
    const description = document.createElement("dd");
    term.textContent = label;
    description.textContent = value;
    description.dataset.value = name;
    line.append(term, description);
    return line;
  }));
  part("technical").textContent = JSON.stringify(
    { channel: opened.channelId, transaction: opened.transactionId, call: opened.args }, null, 1,
  );
  show(dialog, "question");
  return new Promise((resolve) => {
    const answer = (isYes) => () => {
      if (isYes) show(dialog, "working");
      else dialog.close();
      resolve(isYes);
    };
    part("sign").onclick = answer(true);
    part("refuse").onclick = answer(false);
    dialog.oncancel = (event) => {
      if (dialog.dataset.stage !== "question") event.preventDefault();
      else answer(false)();
    };
  });
}

/** Show how it ended; the person closes the dialog when done reading. */
function showOutcome({ dialog }, { outcome, text, balance = "", said = "", transactionId = "" }) {
  const part = (name) => dialog.querySelector(`[data-part="${name}"]`);
  part("outcome").textContent = text;
  part("outcome").dataset.outcome = outcome;
  part("balance").textContent = balance;
  showSaid(dialog, said);
  part("keys").hidden = outcome !== "no-key";
  showTransaction(part("transaction"), transactionId);
  part("close").onclick = () => dialog.close();
  dialog.oncancel = null;
  show(dialog, "outcome");
}

function show(dialog, stage) {
  dialog.dataset.stage = stage;
  for (const part of dialog.querySelectorAll("[data-stage-part]")) {
    part.hidden = part.dataset.stagePart !== stage;
  }
  if (!dialog.open) dialog.showModal();
  dialog.querySelector(`[data-stage-part="${stage}"] [data-first]`)?.focus();
}

/** The free balance after the transaction, in a sentence; empty for who has no account, or without an answer. */
async function balanceText({ idgrid, words, locale }) {
  if (!idgrid) return "";
  try {
    const account = await get(`/v1/accounts/${encodeURIComponent(idgrid)}`);
    const tokens = amount(BigInt(account.balance_utoken), UTOKEN_PER_TOKEN, locale);
    return words.balance.replace("{balance}", tokens);
  } catch {
    return ""; // what was signed is on the ledger all the same
  }
}

async function onSubmit(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.dataset.sign) return;
  event.preventDefault();
  let args;
  try {
    args = argumentsOf(form);
  } catch (error) {
    const page = pageFacts();
    if (!page.words[error.kind]) throw error;
    showOutcome(page, { outcome: "refused", text: page.words[error.kind].replace("{value}", () => error.value) });
    return;
  }
  await sign(form.dataset.sign, args).catch((error) => {
    if (!isTold(error)) throw error;
  });
}

document.addEventListener("submit", onSubmit);
