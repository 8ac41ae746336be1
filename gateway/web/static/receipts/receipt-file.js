// A receipt's file, read strictly: the format of ledger/receipts/receipt.py, version 1.
// No dependencies; runs in a browser and in Node.

export const RECEIPT_BYTES_MAX = 256 * 1024;
const MARK = "GRIDLEDGER RECEIPT";
const VERSION = 1;
const HASH_BYTES = 32;
const LEAVES_MAX = 2;
const PATH_HASHES_MAX = 32;

/** The receipt proves nothing: which step failed, with which problem, in words. */
export class ReceiptRefused extends Error {
  constructor(step, problem, detail) {
    super(`${step}: ${problem}: ${detail}`);
    this.step = step;
    this.problem = problem;
    this.detail = detail;
  }
}

/** Bytes of a file as an object; throws ReceiptRefused in step "file". */
export function readReceipt(bytes) {
  if (bytes.length > RECEIPT_BYTES_MAX) {
    throw refused("OVERSIZED", `a receipt has at most ${RECEIPT_BYTES_MAX} bytes`);
  }
  const mark = new TextEncoder().encode(MARK);
  if (!equal(bytes.subarray(0, mark.length), mark)) {
    throw refused("NOT_A_RECEIPT", "it does not begin as a receipt does");
  }
  const reader = new Reader(bytes, mark.length);
  const version = reader.number(1);
  if (version !== VERSION) {
    throw refused("UNKNOWN_VERSION", `version ${version}; this page reads ${VERSION}`);
  }
  const receipt = {
    genesisHash: reader.take(HASH_BYTES),
    sealingNumber: reader.bigNumber(),
    previousHash: reader.take(HASH_BYTES),
    dataHash: reader.take(HASH_BYTES),
    signedValue: reader.sized(2),
    seals: reader.list(reader.number(1), () => ({
      identifierHeader: reader.sized(1),
      signature: reader.sized(1),
    })),
    commitHashBefore: reader.take(HASH_BYTES),
    codes: reader.sized(4),
    stateHash: reader.take(HASH_BYTES),
    leafCount: reader.number(4),
    outcomeRoot: reader.take(HASH_BYTES),
    leaves: reader.list(reader.count(LEAVES_MAX, "leaves"), () => readLeaf(reader)),
  };
  reader.requireEnd();
  return receipt;
}

function readLeaf(reader) {
  return {
    index: reader.number(4),
    blinding: reader.take(HASH_BYTES),
    element: reader.sized(4),
    path: reader.list(reader.count(PATH_HASHES_MAX, "hashes in a path"), () =>
      reader.take(HASH_BYTES),
    ),
  };
}

/** Takes parts off the front; every length is judged before anything is taken. */
export class Reader {
  constructor(bytes, offset = 0) {
    this.bytes = bytes;
    this.offset = offset;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(size) {
    const end = this.offset + size;
    if (end > this.bytes.length) {
      throw refused("TRUNCATED", `it ends ${end - this.bytes.length} bytes too early`);
    }
    const part = this.bytes.subarray(this.offset, end);
    this.offset = end;
    return part;
  }

  /** A big-endian number of 1, 2 or 4 bytes. */
  number(size) {
    return this.take(size).reduce((value, byte) => value * 256 + byte, 0);
  }

  bigNumber() {
    this.take(8);
    return this.view.getBigUint64(this.offset - 8);
  }

  sized(size) {
    return this.take(this.number(size));
  }

  count(most, what) {
    const count = this.number(1);
    if (count > most) throw refused("MALFORMED", `${count} ${what}, at most ${most}`);
    return count;
  }

  list(count, read) {
    return Array.from({ length: count }, read);
  }

  requireEnd() {
    const rest = this.bytes.length - this.offset;
    if (rest > 0) throw refused("MORE_AFTER_THE_END", `${rest} bytes follow the last part`);
  }
}

/** Varint and length-delimited fields of a protobuf message: [[number, value], ...]. */
export function readFields(bytes) {
  const fields = [];
  let offset = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (offset >= bytes.length) throw refused("MALFORMED", "what was sealed cannot be read");
      const byte = bytes[offset++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value & 0xffffffffffffffffn;
    }
    throw refused("MALFORMED", "what was sealed cannot be read");
  };
  while (offset < bytes.length) {
    const tag = Number(varint());
    const kind = tag & 7;
    if (kind === 0) {
      fields.push([tag >> 3, varint()]);
    } else if (kind === 2) {
      const length = Number(varint());
      if (offset + length > bytes.length) {
        throw refused("MALFORMED", "what was sealed cannot be read");
      }
      fields.push([tag >> 3, bytes.subarray(offset, offset + length)]);
      offset += length;
    } else {
      throw refused("MALFORMED", "what was sealed cannot be read");
    }
  }
  return fields;
}

/** The last value of a field, or what it is when absent. */
export function field(fields, number, absent) {
  const found = fields.filter(([name]) => name === number);
  return found.length ? found[found.length - 1][1] : absent;
}

/** Our part of what the seals sign: validator set, commit hash before, block time. */
export function readSignedValue(bytes) {
  const none = new Uint8Array();
  const metadata = readFields(field(readFields(bytes), 2, none));
  const read = {
    blockTimeMs: Number(field(metadata, 4, 0n)),
    transactionsRoot: field(metadata, 5, none),
    validatorSetHash: field(metadata, 6, none),
    previousCommitHash: field(metadata, 7, none),
  };
  const hashes = [read.transactionsRoot, read.validatorSetHash, read.previousCommitHash];
  if (field(metadata, 1, 0n) !== 1n || hashes.some((hash) => hash.length !== HASH_BYTES)) {
    throw refused("MALFORMED", "what was sealed cannot be read");
  }
  return read;
}

/** What a leaf says: {kind: "transaction" | "write", ...}; throws in step "statement". */
export function readStatement(element) {
  const malformed = () => new ReceiptRefused("statement", "MALFORMED", "a leaf cannot be read");
  try {
    const reader = new Reader(element, 1);
    const text = () => new TextDecoder("utf-8", { fatal: true }).decode(reader.sized(4));
    const place = () => ({ block: reader.bigNumber(), index: reader.number(4) });
    if (element[0] === 0x54) {
      const found = { kind: "transaction", txId: text(), ...place(), code: reader.number(1) };
      reader.requireEnd();
      return found;
    }
    if (element[0] === 0x57) {
      const found = { kind: "write", namespace: text(), key: text(), ...place() };
      found.value = reader.sized(4);
      reader.requireEnd();
      return found;
    }
  } catch {
    throw malformed();
  }
  throw malformed();
}

export function equal(first, second) {
  return first.length === second.length && first.every((byte, at) => byte === second[at]);
}

export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function refused(problem, detail) {
  return new ReceiptRefused("file", problem, detail);
}
