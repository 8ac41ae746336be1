// A household's way to the ledger: build, show, sign, send. The gateway only passes bytes on.

import { base64, fromBase64 } from "./bytes.js";
import { buildProposal, openProposal } from "./proposal.js";
import { sign } from "./signature.js";
import { openEndorsed } from "./transaction.js";

const NO_CONTENT = 204;
const TRIES_MAX = 4;
const COMMIT_TIMEOUT_MS = 20_000;

/** The person said no: nothing was signed and nothing was sent. */
export class NotConfirmed extends Error {}

/** The gateway or the ledger refused; `problem` is its problem document. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title ?? "refused");
    this.problem = problem;
  }
}

/**
 * Run a contract's function in the name of a key of this browser.
 *
 * `confirm(opened)` gets what the bytes say (see proposal.js) and answers whether to sign them.
 * A read conflict is tried again with the same words and a new proposal.
 * @returns {Promise<{transactionId, result, status}>} once the transaction is in a block
 */
export async function signAndSubmit({ key, channelId, chaincode, args, transient, confirm }) {
  const parties = { channelId, chaincode, mspid: key.mspid, certificatePem: key.certificatePem };
  for (let attempt = 1; ; attempt += 1) {
    const proposal = await buildProposal({ ...parties, args, transient });
    const opened = await openProposal(proposal.bytes);
    if (attempt === 1 && !(await confirm(opened))) throw new NotConfirmed();
    try {
      return await sendTransaction(key, proposal);
    } catch (error) {
      if (!(error instanceof Refused && error.problem.is_retryable) || attempt === TRIES_MAX) throw error;
    }
  }
}

/** What a function answers to this key; one peer is asked. */
export async function signAndAsk({ key, channelId, chaincode, args, transient }) {
  const proposal = await buildProposal({
    channelId, chaincode, args, transient, mspid: key.mspid, certificatePem: key.certificatePem,
  });
  const answer = await post("/v1/queries", {
    proposal: base64(proposal.bytes),
    signature: base64(await sign(key.privateKey, proposal.bytes)),
  });
  return answer.content;
}

async function sendTransaction(key, proposal) {
  const endorsed = await post("/v1/transactions/endorse", {
    proposal: base64(proposal.bytes),
    signature: base64(await sign(key.privateKey, proposal.bytes)),
  });
  const payload = fromBase64(endorsed.to_sign);
  const { result } = await openEndorsed(payload, proposal.bytes);
  const query = `?wait=committed&timeout_ms=${COMMIT_TIMEOUT_MS}`;
  const done = await post(`/v1/transactions${query}`, {
    payload: endorsed.to_sign,
    signature: base64(await sign(key.privateKey, payload)),
  });
  return { transactionId: proposal.transactionId, result, status: done.status };
}

/** POST JSON; returns the answer's JSON, throws `Refused` for a problem. */
export const post = (path, body) => send("POST", path, body);

/** Send JSON with another method, like `post`. */
export async function send(method, path, body) {
  return answerOf(await fetch(path, {
    method,
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
  }));
}

/** GET JSON, like `post`. */
export async function get(path) {
  return answerOf(await fetch(path, { headers: { Accept: "application/json" } }));
}

async function answerOf(response) {
  if (response.status === NO_CONTENT) return {};
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  const content = isJson ? await response.json() : {};
  if (response.ok) return content;
  throw new Refused({ status: response.status, title: response.statusText, ...content });
}
