// Checks a receipt against trusted validators, without asking anybody: the steps of
// ledger/receipts/checking.py, with WebCrypto. docs/receipts.md has the argument.

import {
  ReceiptRefused,
  concat,
  equal,
  field,
  hex,
  readFields,
  readReceipt,
  readSignedValue,
  readStatement,
} from "./receipt-file.js";

const CURVE_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const FORMAT = "gridledger validators 1";
const IDENTIFIER_HEADER_BYTES_MAX = 64;
const encoder = new TextEncoder();

/** A list of validators (JSON text) made ready: keys imported, hashes of the sets known. */
export async function readValidators(json) {
  const list = JSON.parse(json);
  if (list.format !== FORMAT) throw new Error("this is no list of validators");
  const sets = [];
  for (const set of list.sets) {
    const validators = [];
    for (const one of set.validators) {
      const der = Uint8Array.from(atob(one.public_key), (letter) => letter.charCodeAt(0));
      const curve = { name: "ECDSA", namedCurve: "P-256" };
      const key = await crypto.subtle.importKey("spki", der, curve, false, ["verify"]);
      validators.push({ id: one.id, member: one.member, der, key });
    }
    sets.push({ fromBlock: BigInt(set.from_block), validators, hash: await setHash(validators) });
  }
  return {
    channelId: list.channel_id,
    genesisHash: fromHex(list.genesis_hash),
    asOfBlock: BigInt(list.as_of_block),
    sets,
  };
}

/** What people compare: the same text as `gridledger validators` prints. */
export async function fingerprint(trusted) {
  const parts = [encoder.encode(trusted.channelId), trusted.genesisHash];
  for (const set of trusted.sets) parts.push(bigEndian(set.fromBlock, 8), set.hash);
  return hex(await sha256(...parts.map(sized)));
}

/** What the receipt proves; throws ReceiptRefused naming the first step that fails. */
export async function checkReceipt(bytes, trusted) {
  const receipt = readReceipt(bytes);
  if (!equal(receipt.genesisHash, trusted.genesisHash)) {
    throw refused("chain", "OTHER_CHAIN", "it is of a ledger with another genesis block");
  }
  const signed = readSignedValue(receipt.signedValue);
  const set = validatorsOf(receipt, signed, trusted);
  const signers = await checkSeals(receipt, set);
  await checkCommitment(receipt, signed);
  await checkPaths(receipt);
  const [transaction, write] = checkStatements(receipt);
  const members = new Map(set.validators.map((one) => [one.id, one.member]));
  return {
    channelId: trusted.channelId,
    blockNumber: transaction.block,
    blockHash: hex(receipt.previousHash),
    sealingBlockHash: hex(await sha256(headerDer(receipt))),
    sealedAtMs: signed.blockTimeMs,
    sealedBy: [...signers].sort((a, b) => a - b).map((id) => ({ id, member: members.get(id) })),
    validators: set.validators.length,
    transaction,
    write: write ?? null,
    isNewerThanTrust: receipt.sealingNumber > trusted.asOfBlock,
  };
}

function validatorsOf(receipt, signed, trusted) {
  const number = receipt.sealingNumber;
  const inCharge = trusted.sets.filter((set) => set.fromBlock <= number).pop();
  if (inCharge && equal(signed.validatorSetHash, inCharge.hash)) return inCharge;
  if (trusted.sets.some((set) => equal(signed.validatorSetHash, set.hash))) {
    const detail = `block ${number} was not theirs to seal: others were in charge`;
    throw refused("validators", "OLD_VALIDATORS", detail);
  }
  const detail = `block ${number} names validators that are not in your list`;
  throw refused("validators", "UNKNOWN_VALIDATORS", detail);
}

async function checkSeals(receipt, set) {
  const signers = new Set();
  for (const seal of receipt.seals) {
    const signer = signerOf(seal);
    const validator = set.validators.find((one) => one.id === signer);
    if (!validator) throw seals("STRANGERS_SEAL", `${signer} is no validator of this block`);
    if (signers.has(signer)) throw seals("SEALED_TWICE", `validator ${signer} is counted twice`);
    const message = concat(receipt.signedValue, seal.identifierHeader, headerDer(receipt));
    const raw = rawSignature(seal.signature);
    const rule = { name: "ECDSA", hash: "SHA-256" };
    if (!raw || !(await crypto.subtle.verify(rule, validator.key, raw, message))) {
      throw seals("BAD_SEAL", `the seal of validator ${signer} is not good`);
    }
    signers.add(signer);
  }
  const count = set.validators.length;
  const needed = count - Math.floor(count / 3);
  if (signers.size < needed) {
    throw seals("TOO_FEW_SEALS", `${signers.size} of ${needed} needed seals`);
  }
  return signers;
}

function signerOf(seal) {
  if (seal.identifierHeader.length > IDENTIFIER_HEADER_BYTES_MAX) {
    throw seals("MALFORMED", "an identifier header is too long");
  }
  try {
    return Number(field(readFields(seal.identifierHeader), 1, 0n));
  } catch {
    throw seals("MALFORMED", "an identifier header cannot be read");
  }
}

async function checkCommitment(receipt, signed) {
  const count = bigEndian(BigInt(receipt.leafCount), 4);
  const outcome = await sha256(encoder.encode("gridledger outcome v1"), count, receipt.outcomeRoot);
  const parts = [
    encoder.encode("gridledger commit hash v3"),
    receipt.genesisHash,
    receipt.commitHashBefore,
    receipt.codes,
    outcome,
    receipt.stateHash,
  ];
  if (!equal(await sha256(...parts.map(sized)), signed.previousCommitHash)) {
    const detail = "codes and outcome are not those the validators sealed";
    throw refused("state commitment", "OTHER_STATE", detail);
  }
}

async function checkPaths(receipt) {
  for (const leaf of receipt.leaves) {
    const root = await rootOf(leaf, receipt.leafCount);
    if (!root || !equal(root, receipt.outcomeRoot)) {
      throw refused("Merkle path", "OTHER_ROOT", "the path leads to another root");
    }
  }
}

/** Root of an RFC 6962 tree from one leaf and its siblings; null for an impossible path. */
async function rootOf(leaf, leafCount) {
  let { index } = leaf;
  if (index >= leafCount) return null;
  let last = leafCount - 1;
  let used = 0;
  let node = await sha256(Uint8Array.of(0), leaf.blinding, leaf.element);
  while (last > 0) {
    if (index % 2 === 1 || index < last) {
      if (used === leaf.path.length) return null;
      const sibling = leaf.path[used++];
      const pair = index % 2 === 1 ? [sibling, node] : [node, sibling];
      node = await sha256(Uint8Array.of(1), ...pair);
    }
    index = Math.floor(index / 2);
    last = Math.floor(last / 2);
  }
  return used === leaf.path.length ? node : null;
}

function checkStatements(receipt) {
  const [transaction, write] = receipt.leaves.map((leaf) => readStatement(leaf.element));
  if (transaction?.kind !== "transaction" || (write && write.kind !== "write")) {
    throw statement("MALFORMED", "it takes a transaction, and one write at most");
  }
  if (transaction.block !== receipt.sealingNumber - 1n) {
    throw statement("OTHER_BLOCK", `it speaks of block ${transaction.block}`);
  }
  const isSame = !write || (write.block === transaction.block && write.index === transaction.index);
  if (!isSame) throw statement("OTHER_BLOCK", "another transaction wrote this");
  if (receipt.codes[transaction.index] !== transaction.code) {
    throw statement("OTHER_CODE", "the block's codes have another code for it");
  }
  if (write && transaction.code !== 0) {
    throw statement("OTHER_CODE", "the transaction that wrote this is not valid");
  }
  return [transaction, write];
}

/** SEQUENCE { INTEGER number, OCTET STRING previous hash, OCTET STRING data hash } in DER. */
function headerDer(receipt) {
  const bits = receipt.sealingNumber === 0n ? 0 : receipt.sealingNumber.toString(2).length;
  const number = bigEndian(receipt.sealingNumber, Math.floor(bits / 8) + 1);
  const content = concat(der(2, number), der(4, receipt.previousHash), der(4, receipt.dataHash));
  return der(0x30, content);
}

function der(tag, content) {
  return concat(Uint8Array.of(tag, content.length), content); // all lengths are below 128
}

/** The 64 bytes WebCrypto wants, of a strict DER signature with low S; null otherwise. */
function rawSignature(signature) {
  const size = signature.length;
  if (size < 8 || size > 72 || signature[0] !== 0x30 || signature[1] !== size - 2) return null;
  const r = derInteger(signature, 2);
  const s = r && derInteger(signature, r.end);
  if (!s || s.end !== size) return null;
  const inRange = r.value > 0n && r.value < CURVE_ORDER && s.value > 0n;
  if (!inRange || s.value > CURVE_ORDER >> 1n) return null;
  return concat(bigEndian(r.value, 32), bigEndian(s.value, 32));
}

function derInteger(bytes, start) {
  const body = start + 2;
  if (body >= bytes.length || bytes[start] !== 2) return null;
  const length = bytes[start + 1];
  const end = body + length;
  if (length < 1 || length > 33 || end > bytes.length || bytes[body] & 0x80) return null;
  if (length > 1 && bytes[body] === 0 && !(bytes[body + 1] & 0x80)) return null;
  return { value: BigInt(`0x${hex(bytes.subarray(body, end))}`), end };
}

/** SHA-256 over who the validators are, as docs/wire.md has it. */
async function setHash(validators) {
  const parts = [encoder.encode("gridledger-validator-set-1"), count(validators.length)];
  for (const one of [...validators].sort((a, b) => a.id - b.id)) {
    parts.push(count(one.id), sized(encoder.encode(one.member)), sized(one.der));
  }
  return sha256(...parts);
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
}

function sized(content) {
  return concat(count(content.length), content);
}

function count(value) {
  return bigEndian(BigInt(value), 4);
}

function bigEndian(value, size) {
  const bytes = new Uint8Array(size);
  for (let at = size - 1, rest = value; at >= 0; at -= 1, rest >>= 8n) {
    bytes[at] = Number(rest & 0xffn);
  }
  return bytes;
}

function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function refused(step, problem, detail) {
  return new ReceiptRefused(step, problem, detail);
}

function seals(problem, detail) {
  return refused("seals", problem, detail);
}

function statement(problem, detail) {
  return refused("statement", problem, detail);
}
