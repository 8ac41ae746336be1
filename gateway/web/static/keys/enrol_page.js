// Enrolment: the letter's code becomes a key of this browser, and the manager's approval a certificate.
//
// The code stands behind `#` in the address, so no server sees it before it is used here, and it is
// taken out of the address at once. A key that waits is kept, so the page may be closed meanwhile.

import { post, Refused } from "../requests.js";
import { comparisonCode, newKeyPair } from "./key_pair.js";
import { keepKey, storedKeys } from "./key_store.js";
import { attempt, canMakeKeys, showStage } from "./page_problem.js";
import { signingRequest } from "./signing_request.js";

const ASK_AGAIN_MS = 2_000;
const page = document.getElementById("enrol");
const part = (name) => page.querySelector(`[data-part="${name}"]`);
let code = decodeURIComponent(location.hash.slice(1));

async function start() {
  if (!canMakeKeys) return showStage(page, "insecure");
  history.replaceState(null, "", location.pathname);
  const waiting = (await storedKeys()).filter((key) => key.request && !key.certificatePem).pop();
  if (!code && waiting) return waitFor(waiting);
  if (!code) return showStage(page, "code");
  return open();
}

async function open() {
  const isOpen = await attempt(page, async () => {
    const letter = await post("/v1/letters/open", { code });
    part("idgrid").textContent = letter.idgrid;
    part("recover").hidden = letter.purpose !== "recover";
  });
  showStage(page, isOpen ? "letter" : "code");
}

async function makeKey(label) {
  const pair = await newKeyPair();
  const request = await signingRequest({ ...pair, commonName: part("idgrid").textContent });
  const asked = await post("/v1/enrolments", { code, request_pem: request, label });
  const key = {
    ...pair, idgrid: asked.idgrid, mspid: "", certificatePem: "", createdMs: Date.now(),
    request: { id: asked.request_id, secret: asked.secret },
  };
  await keepKey(key);
  waitFor(key);
}

async function waitFor(key) {
  part("comparison").textContent = comparisonCode(key.fingerprint);
  showStage(page, "waiting");
  for (;;) {
    const found = await collected(key);
    if (found?.state === "refused") return showStage(page, "refused");
    if (found?.certificate_pem) return finish(key, found);
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

/** How the request stands; null while the gateway cannot be reached. */
async function collected(key) {
  try {
    return await post(`/v1/enrolments/${key.request.id}/collect`, { secret: key.request.secret });
  } catch (error) {
    if (error instanceof Refused && error.problem.status === 404) return { state: "refused" };
    return null;
  }
}

async function finish(key, found) {
  await attempt(page, async () => {
    const { request, ...kept } = key;
    await keepKey({ ...kept, mspid: found.mspid, certificatePem: found.certificate_pem });
    await post(`/v1/enrolments/${request.id}/session`, { secret: request.secret });
    showStage(page, "ready");
  });
}

page.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.elements.code) {
    code = form.elements.code.value;
    open();
  } else {
    attempt(page, () => makeKey(form.elements.label.value));
  }
});

start();
