// Byte strings: text, hex, base64, joining, comparing, hashing.

const TEXT = new TextEncoder();
const STRICT_TEXT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BASE64_PART_BYTES = 0x8000;

export const utf8 = (text) => TEXT.encode(text);

/** Text of UTF-8 bytes; throws TypeError for anything else. */
export const textOf = (bytes) => STRICT_TEXT.decode(bytes);

export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

export function areEqual(left, right) {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function fromHex(text) {
  if (!/^([0-9a-f]{2})*$/i.test(text)) throw new Error("not hex");
  return Uint8Array.from(text.match(/../g) || [], (pair) => parseInt(pair, 16));
}

export function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += BASE64_PART_BYTES) {
    text += String.fromCharCode(...bytes.subarray(at, at + BASE64_PART_BYTES));
  }
  return btoa(text);
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** base64url without padding, as WebAuthn's JSON has it. */
export const base64url = (bytes) =>
  base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

export const fromBase64url = (text) => fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));

export async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

export function bigFromBytes(bytes) {
  return bytes.length ? BigInt("0x" + hex(bytes)) : 0n;
}

/** Big-endian bytes of a number that is not negative, filled up to `size`. */
export function bytesFromBig(number, size) {
  const text = number.toString(16).padStart(2 * size, "0");
  if (text.length > 2 * size) throw new Error(`the number needs more than ${size} bytes`);
  return fromHex(text);
}

/** PEM text of DER bytes. */
export function pem(label, der) {
  const lines = base64(der).match(/.{1,64}/g).join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** DER bytes of the first PEM block with this label. */
export function fromPem(label, text) {
  const found = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`).exec(text);
  if (!found) throw new Error(`there is no ${label} in this text`);
  return fromBase64(found[1].replace(/\s+/g, ""));
}
