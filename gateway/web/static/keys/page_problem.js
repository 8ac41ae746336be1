// A refusal in the reader's language, in the page's element for it.

import { meaningOf, saidOf, sentenceOf, showSaid, showTransaction, slugOf, transactionOf } from "../refusals.js";
import { Refused } from "../requests.js";

const SECURE = window.isSecureContext && Boolean(window.crypto?.subtle);
export const canMakeKeys = SECURE;

function words() {
  return JSON.parse(document.getElementById("problem-words").textContent);
}

/** Show why something did not work; `within` is the part of the page it belongs to. */
export async function showProblem(within, error) {
  const texts = words();
  const isRefused = error instanceof Refused;
  const problem = isRefused ? error.problem : {};
  const kind = error.kind ?? (error.name === "NotAllowedError" ? "not-allowed" : "");
  const known = texts[problem.code] ?? texts[kind] ?? texts[slugOf(problem)];
  const meaning = known ?? (isRefused && sentenceOf(await meaningOf(problem)));
  const place = within.querySelector("[data-part=problem]");
  place.textContent = (meaning || texts.other).replace("{word}", () => error.word ?? "");
  place.hidden = false;
  showSaid(within, isRefused && !known ? saidOf(problem) : "");
  showTransaction(transactionPlace(within), transactionOf(error));
  if (!known && !isRefused) throw error;
}

/** Take an earlier refusal away. */
export function clearProblem(within) {
  within.querySelector("[data-part=problem]").hidden = true;
  showSaid(within, "");
  showTransaction(transactionPlace(within), "");
}

const transactionPlace = (within) => within.querySelector("[data-part=problem-transaction]");

/** Run `work` and show what went wrong; whether it worked. */
export async function attempt(within, work) {
  clearProblem(within);
  try {
    await work();
    return true;
  } catch (error) {
    await showProblem(within, error);
    return false;
  }
}

/** Show the part of one stage only. */
export function showStage(within, stage) {
  within.dataset.stage = stage;
  for (const part of within.querySelectorAll("[data-stage-part]")) {
    part.hidden = part.dataset.stagePart !== stage;
  }
}

/** An error with a text of the page: `kind` is its name among them. */
export function pageError(kind, word = "") {
  return Object.assign(new Error(kind), { kind, word });
}
