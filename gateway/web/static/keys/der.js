// The few ASN.1 DER values that signatures and signing requests are made of.

import { concat, utf8 } from "./bytes.js";

const SHORT_LENGTH_MAX = 0x7f;
const SIGN_BIT = 0x80;

function value(tag, ...contents) {
  const content = concat(...contents);
  return concat(Uint8Array.of(tag), length(content.length), content);
}

function length(size) {
  if (size <= SHORT_LENGTH_MAX) return Uint8Array.of(size);
  const bytes = [];
  for (let rest = size; rest; rest >>= 8) bytes.unshift(rest & 0xff);
  return Uint8Array.of(SIGN_BIT | bytes.length, ...bytes);
}

export const sequence = (...parts) => value(0x30, ...parts);
export const set = (...parts) => value(0x31, ...parts);
export const utf8String = (text) => value(0x0c, utf8(text));
export const bitString = (bytes) => value(0x03, Uint8Array.of(0), bytes);
export const objectIdentifier = (bytes) => value(0x06, Uint8Array.from(bytes));
/** An empty `[0]`, as a signing request without attributes has it. */
export const noAttributes = () => value(0xa0);

/** A number that is not negative, from its big-endian bytes. */
export function integer(bytes) {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const shortest = bytes.subarray(start);
  return shortest[0] & SIGN_BIT ? value(0x02, Uint8Array.of(0), shortest) : value(0x02, shortest);
}
