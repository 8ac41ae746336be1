// What a refusal means, in the reader's language: the gateway's table by code, or by kind of problem.

import { get } from "./requests.js";

let asked; // the table is asked for once, by the first refusal of a page

async function table() {
  asked ??= get("/refusal-texts").catch(() => {
    asked = undefined; // no connection now; the next refusal asks again
    return {};
  });
  return asked;
}

/** The last part of a problem's `type`: its name in the gateway's table of problems. */
export const slugOf = ({ type }) => String(type ?? "").split("/").pop();

/** What a problem document means; the gateway's own words where the table has none. */
export async function meaningOf(problem) {
  const texts = await table();
  return texts[problem.code] ?? texts[slugOf(problem)] ?? problem.detail ?? problem.title ?? "";
}

/** What the gateway said itself, in English, with identifiers and numbers; for who wants to know more. */
export const saidOf = ({ code, detail }) => [code, detail].filter(Boolean).join(": ");

/** The id of the transaction an error is about: one on the ledger as invalid, or sent and not there yet. */
export const transactionOf = (error) => error.transactionId ?? error.problem?.transaction_id ?? "";

/** Lead to a transaction in the explorer by the link in `place`, which is hidden where there is none. */
export function showTransaction(place, transactionId) {
  place.hidden = !transactionId;
  place.querySelector("a").href = `/explorer/transactions/${transactionId}`;
}

/** A meaning on its own is a sentence: a capital first, a full stop last. */
export function sentenceOf(meaning) {
  if (!meaning) return meaning;
  const begun = meaning[0].toLocaleUpperCase() + meaning.slice(1);
  return /[.!?)]$/.test(begun) ? begun : `${begun}.`;
}

/** Put the details where `within` has room for it; nothing to say hides the place. */
export function showSaid(within, said) {
  const place = within.querySelector("[data-part=said]");
  place.querySelector("[data-part=said-text]").textContent = said;
  place.open = false;
  place.hidden = !said;
}
