// The endorsed transaction that comes back: nothing is signed before it is ours in every part.

import { areEqual, concat, sha256, textOf } from "./bytes.js";
import { openProposal } from "./proposal.js";
import { bytesField, decode, onlyBytes, onlyNumber, requireOnly } from "./protobuf.js";

const STATUS_OK = 200;
const STATUS_ERROR = 400;

/**
 * Check an envelope's payload against the proposal that was signed, and return what the endorsers
 * answered: `{status, result, endorsements}`, `result` being the contract's text.
 *
 * Header and input must be the proposal's own bytes, and what the endorsers signed must carry the
 * hash of exactly this proposal. Throws otherwise; then nothing may be signed.
 */
export async function openEndorsed(payload, proposalBytes) {
  const proposal = await openProposal(proposalBytes);
  const envelope = decode(payload);
  requireOnly(envelope, [1, 2], "the transaction");
  require(areEqual(onlyBytes(envelope, 1), proposal.header), "the transaction has another header");
  const actions = decode(onlyBytes(envelope, 2)).get(1) ?? [];
  require(actions.length === 1, `the transaction has ${actions.length} actions, not one`);
  const action = decode(actions[0]);
  requireOnly(action, [1, 2], "the action");
  require(
    areEqual(onlyBytes(action, 1), proposal.signatureHeaderBytes), "the action has another signer",
  );
  const content = decode(onlyBytes(action, 2));
  requireOnly(content, [1, 2], "the action's payload");
  const kept = bytesField(1, proposal.input);
  require(areEqual(onlyBytes(content, 1), kept), "the transaction has other arguments");
  return openAnswer(onlyBytes(content, 2), proposal, kept);
}

async function openAnswer(bytes, proposal, kept) {
  const endorsed = decode(bytes);
  requireOnly(endorsed, [1, 2], "the endorsed action");
  const endorsements = endorsed.get(2) ?? [];
  require(endorsements.length > 0, "nobody endorsed the transaction");
  const response = decode(onlyBytes(endorsed, 1));
  const expected = await sha256(
    concat(proposal.channelHeaderBytes, proposal.signatureHeaderBytes, kept),
  );
  require(areEqual(onlyBytes(response, 1), expected), "the endorsements are for another proposal");
  const result = decode(onlyBytes(response, 2));
  const chaincode = textOf(onlyBytes(decode(onlyBytes(result, 4)), 2));
  require(chaincode === proposal.chaincode, "another chaincode answered");
  const answer = decode(onlyBytes(result, 3));
  const status = Number(onlyNumber(answer, 1));
  require(status >= STATUS_OK && status < STATUS_ERROR, `the contract answered ${status}`);
  return { status, result: textOf(onlyBytes(answer, 3)), endorsements: endorsements.length };
}

function require(isTrue, otherwise) {
  if (!isTrue) throw new Error(otherwise);
}
