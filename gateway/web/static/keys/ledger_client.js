// A household's way to the ledger: build, show, sign, send, follow. The gateway only passes bytes on.

import { get, post, Refused } from "../requests.js";
import { base64, fromBase64 } from "./bytes.js";
import { buildProposal, openProposal } from "./proposal.js";
import { sign } from "./signature.js";
import { openEndorsed } from "./transaction.js";

const TRIES_MAX = 4;
const COMMIT_TIMEOUT_MS = 20_000;
const ANSWER_TIMEOUT_MS = 30_000;
const FOLLOW_TIMEOUT_MS = 5_000;
/** How long it is waited before each question what became of a transaction: 15 s together. */
const FOLLOW_PAUSES_MS = [500, 1_000, 1_500, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000];
const GATEWAY_FAULT = 500;
const CONFLICT = 409;

/** The person said no: nothing was signed and nothing was sent. */
export class NotConfirmed extends Error {}

/** What came back to be signed is not what the person confirmed: nothing more was signed. */
export class Tampered extends Error {
  kind = "tampered";
}

/** It was sent and nobody said in time what became of it: it may still come onto the ledger. */
export class Undecided extends Error {
  kind = "undecided";

  constructor(transactionId) {
    super(`${transactionId} is not on the ledger yet`);
    this.transactionId = transactionId;
  }
}

/**
 * Run a contract's function in the name of a key of this browser.
 *
 * `confirm(opened)` gets what the bytes say (see proposal.js) and answers whether to sign them.
 * A read conflict is tried again with the same words and a new proposal.
 *
 * Throws `Refused`, also for a transaction that is on the ledger as invalid, `Tampered`, and
 * `Undecided`. Any other error came before the transaction was sent: nothing was changed.
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
  const answer = await post("/v1/queries", await signed(key, "proposal", proposal.bytes));
  return answer.content;
}

async function sendTransaction(key, proposal) {
  const endorsed = await post("/v1/transactions/endorse", await signed(key, "proposal", proposal.bytes));
  const { payload, result } = await checked(endorsed, proposal);
  const transaction = await signed(key, "payload", payload);
  const status = await submitted(proposal.transactionId, transaction);
  return { transactionId: proposal.transactionId, result, status };
}

async function signed(key, name, bytes) {
  return { [name]: base64(bytes), signature: base64(await sign(key.privateKey, bytes)) };
}

async function checked(endorsed, proposal) {
  try {
    const payload = fromBase64(endorsed.to_sign);
    const { result } = await openEndorsed(payload, proposal.bytes);
    return { payload, result };
  } catch (error) {
    throw new Tampered(error.message);
  }
}

/** Send a signed transaction. Whatever is answered, or nothing: from here on it may be on the ledger. */
async function submitted(transactionId, transaction) {
  const query = `?wait=committed&timeout_ms=${COMMIT_TIMEOUT_MS}`;
  let answer;
  try {
    answer = await post(`/v1/transactions${query}`, transaction, { timeoutMs: ANSWER_TIMEOUT_MS });
  } catch (error) {
    if (error instanceof Refused && isFinal(error.problem)) throw error;
    return followed(transactionId);
  }
  return answer.status === "valid" ? answer.status : followed(transactionId);
}

/**
 * Whether a refused transaction cannot come onto the ledger. A fault does not say so, nor does "it is
 * known already": a browser repeats a request by itself whose connection broke.
 */
const isFinal = ({ status, code }) =>
  status < GATEWAY_FAULT && !(status === CONFLICT && (!code || code === "REPLAYED"));

/** Ask for a while what became of a transaction that was sent. */
async function followed(transactionId) {
  for (const pauseMs of FOLLOW_PAUSES_MS) {
    await new Promise((resolve) => { setTimeout(resolve, pauseMs); });
    const { status, code, is_retryable } = await found(transactionId);
    if (status === "valid") return status;
    if (status === "invalid") throw new Refused({ code, is_retryable, transaction_id: transactionId });
  }
  throw new Undecided(transactionId);
}

/** What the gateway knows of a transaction; nothing while it knows it not, or cannot be reached. */
async function found(transactionId) {
  try {
    return await get(`/v1/transactions/${transactionId}`, { timeoutMs: FOLLOW_TIMEOUT_MS });
  } catch {
    return {};
  }
}
