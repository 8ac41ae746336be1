// Fabric's proposal: built here, opened here, never asked of the gateway.
//
// Proposal { 1 Header { 1 ChannelHeader, 2 SignatureHeader { creator, nonce } }, 2 payload }.
// The transaction's id is SHA-256(nonce ‖ creator) in hex; docs/wire.md has the whole layout.

import { concat, hex, sha256, textOf, utf8 } from "./bytes.js";
import {
  bytesField, decode, numberField, onlyBytes, onlyNumber, presentField, requireOnly, textField,
} from "./protobuf.js";

const ENDORSER_TRANSACTION = 3;
const NONCE_BYTES = 24;
const MS_PER_SECOND = 1000n;
const NS_PER_MS = 1_000_000n;

/** SerializedIdentity bytes: member and certificate, the `creator` of everything signed. */
export const identityBytes = (mspid, certificatePem) =>
  concat(textField(1, mspid), bytesField(2, utf8(certificatePem)));

/** Id of the transaction a nonce and a creator lead to. */
export const transactionId = async (nonce, creator) => hex(await sha256(concat(nonce, creator)));

/** Timestamp message of milliseconds since 1970 UTC. */
function timestamp(timeMs) {
  const time = BigInt(timeMs);
  return concat(
    numberField(1, time / MS_PER_SECOND), numberField(2, (time % MS_PER_SECOND) * NS_PER_MS),
  );
}

/** Entries of a map<string, bytes>, sorted by key as protobuf's deterministic encoding does. */
function mapEntries(number, entries) {
  const sorted = Object.entries(entries).sort(([left], [right]) => (left < right ? -1 : 1));
  return concat(
    ...sorted.map(([key, value]) =>
      presentField(number, concat(presentField(1, utf8(key)), presentField(2, value)))),
  );
}

/**
 * A proposal to run `args[0]` with the other arguments (texts).
 * @returns {Promise<{transactionId: string, bytes: Uint8Array}>}
 */
export async function buildProposal({
  channelId, chaincode, args, mspid, certificatePem, timeMs = Date.now(),
  nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES)), transient = {},
}) {
  const creator = identityBytes(mspid, certificatePem);
  const id = await transactionId(nonce, creator);
  const chaincodeId = presentField(2, textField(2, chaincode));
  const channelHeader = concat(
    numberField(1, ENDORSER_TRANSACTION), presentField(3, timestamp(timeMs)),
    textField(4, channelId), textField(5, id), bytesField(7, chaincodeId),
  );
  const signatureHeader = concat(bytesField(1, creator), bytesField(2, nonce));
  const header = concat(bytesField(1, channelHeader), bytesField(2, signatureHeader));
  const input = concat(...args.map((argument) => presentField(1, utf8(argument))));
  const spec = concat(chaincodeId, presentField(3, input));
  const payload = concat(bytesField(1, presentField(1, spec)), mapEntries(2, transient));
  return { transactionId: id, bytes: concat(bytesField(1, header), bytesField(2, payload)) };
}

/**
 * What is in proposal bytes. Throws for anything a plain call of a contract does not contain.
 * `input` is the part the ledger keeps, `transient` the names of private values beside it, and
 * `privately` those values by name.
 */
export async function openProposal(bytes) {
  const proposal = decode(bytes);
  requireOnly(proposal, [1, 2], "the proposal");
  const header = openHeader(onlyBytes(proposal, 1));
  const payload = decode(onlyBytes(proposal, 2));
  requireOnly(payload, [1, 2], "the payload");
  const input = onlyBytes(payload, 1);
  const { chaincode, args } = openInput(input);
  if (header.chaincode !== chaincode) throw new Error("header and input name different chaincodes");
  if (header.transactionId !== (await transactionId(header.nonce, header.creator))) {
    throw new Error("the transaction's id does not follow from nonce and creator");
  }
  const entries = (payload.get(2) ?? []).map((entry) => decode(entry))
    .map((entry) => [textOf(onlyBytes(entry, 1)), onlyBytes(entry, 2)]);
  const transient = entries.map(([name]) => name);
  const privately = Object.fromEntries(entries);
  return { ...header, args, input, transient, privately, header: onlyBytes(proposal, 1) };
}

/** Both headers of a proposal or transaction. */
function openHeader(bytes) {
  const header = decode(bytes);
  requireOnly(header, [1, 2], "the header");
  const channelHeaderBytes = onlyBytes(header, 1);
  const signatureHeaderBytes = onlyBytes(header, 2);
  const channel = decode(channelHeaderBytes);
  requireOnly(channel, [1, 3, 4, 5, 7], "the channel header");
  const signer = decode(signatureHeaderBytes);
  requireOnly(signer, [1, 2], "the signature header");
  if (onlyNumber(channel, 1) !== BigInt(ENDORSER_TRANSACTION)) throw new Error("not a transaction");
  const time = decode(onlyBytes(channel, 3));
  const extension = decode(onlyBytes(channel, 7));
  return {
    channelId: textOf(onlyBytes(channel, 4)),
    transactionId: textOf(onlyBytes(channel, 5)),
    chaincode: textOf(onlyBytes(decode(onlyBytes(extension, 2)), 2)),
    timeMs: Number(onlyNumber(time, 1) * MS_PER_SECOND + onlyNumber(time, 2) / NS_PER_MS),
    creator: onlyBytes(signer, 1),
    nonce: onlyBytes(signer, 2),
    channelHeaderBytes,
    signatureHeaderBytes,
  };
}

/** Chaincode and arguments of a ChaincodeInvocationSpec. */
function openInput(bytes) {
  const invocation = decode(bytes);
  requireOnly(invocation, [1], "the invocation");
  const spec = decode(onlyBytes(invocation, 1));
  requireOnly(spec, [2, 3], "the chaincode's call");
  const chaincodeId = decode(onlyBytes(spec, 2));
  requireOnly(chaincodeId, [2], "the chaincode's name");
  const input = decode(onlyBytes(spec, 3));
  requireOnly(input, [1], "the arguments");
  return { chaincode: textOf(onlyBytes(chaincodeId, 2)), args: (input.get(1) ?? []).map(textOf) };
}

