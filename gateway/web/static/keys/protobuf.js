// The part of protobuf that Fabric's proposals need: varints and length-delimited fields.
//
// Encoding follows protobuf's own order and leaves default values out, so the bytes are those of
// every other Fabric client. Decoding is strict: what it does not understand is an error, because
// its result is shown to somebody who is about to sign.

import { concat, utf8 } from "./bytes.js";

const VARINT = 0;
const DELIMITED = 2;
const VARINT_BYTES_MAX = 10;
const TAG_SHIFT = 3n;
const WIRE_TYPE_MASK = 7n;

function varint(value) {
  let rest = BigInt(value);
  if (rest < 0n) throw new Error("negative numbers are not used here");
  const bytes = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest ? low | 0x80 : low);
  } while (rest);
  return Uint8Array.from(bytes);
}

const tag = (number, wireType) => varint((BigInt(number) << TAG_SHIFT) | BigInt(wireType));

/** A field of numbers; 0 is the default and takes no bytes. */
export const numberField = (number, value) =>
  BigInt(value) === 0n ? new Uint8Array() : concat(tag(number, VARINT), varint(value));

/** A field of bytes or of a message; present even when empty. */
export const presentField = (number, bytes) =>
  concat(tag(number, DELIMITED), varint(bytes.length), bytes);

/** A field of bytes; empty is the default and takes none. */
export const bytesField = (number, bytes) =>
  bytes.length ? presentField(number, bytes) : new Uint8Array();

export const textField = (number, text) => bytesField(number, utf8(text));

/** Fields of a message, by number: lists of BigInt or Uint8Array in the order found. */
export function decode(bytes) {
  const reader = new Reader(bytes);
  const fields = new Map();
  while (!reader.isAtEnd) {
    const key = reader.varint();
    const number = Number(key >> TAG_SHIFT);
    const wireType = Number(key & WIRE_TYPE_MASK);
    if (number === 0) throw new Error("field 0 does not exist");
    if (wireType !== VARINT && wireType !== DELIMITED) throw new Error(`wire type ${wireType}`);
    const value = wireType === VARINT ? reader.varint() : reader.delimited();
    if (!fields.has(number)) fields.set(number, []);
    fields.get(number).push(value);
  }
  return fields;
}

/** The only value of a field of bytes; empty when it is absent, an error when there are several. */
export function onlyBytes(fields, number) {
  const values = fields.get(number) ?? [];
  if (values.length > 1) throw new Error(`field ${number} is there ${values.length} times`);
  if (values.length === 0) return new Uint8Array();
  if (!(values[0] instanceof Uint8Array)) throw new Error(`field ${number} is a number`);
  return values[0];
}

/** The only value of a field of numbers; 0 when it is absent. */
export function onlyNumber(fields, number) {
  const values = fields.get(number) ?? [];
  if (values.length > 1) throw new Error(`field ${number} is there ${values.length} times`);
  if (values.length === 0) return 0n;
  if (typeof values[0] !== "bigint") throw new Error(`field ${number} is no number`);
  return values[0];
}

/** Throws when the message has a field that is not among `known`. */
export function requireOnly(fields, known, name) {
  for (const number of fields.keys()) {
    if (!known.includes(number)) throw new Error(`${name} has an unknown field ${number}`);
  }
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get isAtEnd() {
    return this.at === this.bytes.length;
  }

  varint() {
    let value = 0n;
    for (let count = 0; count < VARINT_BYTES_MAX; count += 1) {
      if (this.isAtEnd) throw new Error("the message ends within a number");
      const byte = this.bytes[this.at];
      this.at += 1;
      value |= BigInt(byte & 0x7f) << BigInt(7 * count);
      if (byte < 0x80) return value;
    }
    throw new Error("a number has more than 64 bits");
  }

  delimited() {
    const size = Number(this.varint());
    if (size > this.bytes.length - this.at) throw new Error("the message ends within a field");
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }
}
