// Keys of a household: made here or imported here, and then never readable again.

import { base64url, bigFromBytes, bytesFromBig, fromPem, hex, sha256 } from "./bytes.js";
import { publicPoint } from "./p256.js";

const P256 = { name: "ECDSA", namedCurve: "P-256" };
const SCALAR_BYTES = 32;
const CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_LENGTH = 12;
const CODE_GROUP = 4;
const LETTER_BITS = 5n;

/** A new key that cannot be exported: `{privateKey, publicKeyDer, fingerprint}`. */
export async function newKeyPair() {
  const made = await crypto.subtle.generateKey(P256, false, ["sign", "verify"]);
  const der = new Uint8Array(await crypto.subtle.exportKey("spki", made.publicKey));
  return described(made.privateKey, der);
}

/** The key of a private scalar (32 bytes), which cannot be exported from here on. */
export async function keyPairFromScalar(scalarBytes) {
  const point = publicPoint(bigFromBytes(scalarBytes));
  const half = 1 + SCALAR_BYTES;
  const coordinates = {
    kty: "EC", crv: "P-256", x: base64url(point.subarray(1, half)), y: base64url(point.subarray(half)),
  };
  const secret = { ...coordinates, d: base64url(scalarBytes) };
  const privateKey = await crypto.subtle.importKey("jwk", secret, P256, false, ["sign"]);
  const publicKey = await crypto.subtle.importKey("jwk", coordinates, P256, true, ["verify"]);
  const der = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  return described(privateKey, der);
}

/** The key of a PKCS #8 file (PEM), as `gridledger cert issue` writes it. */
export async function keyPairFromPem(text) {
  const readable = await crypto.subtle.importKey(
    "pkcs8", fromPem("PRIVATE KEY", text), P256, true, ["sign"],
  );
  const { d } = await crypto.subtle.exportKey("jwk", readable);
  const scalar = atob(d.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(scalar, (letter) => letter.charCodeAt(0));
  return keyPairFromScalar(bytesFromBig(bigFromBytes(bytes), SCALAR_BYTES));
}

/** SHA-256 of the public key in DER, hex: how the ledger names a key. */
export const fingerprintOf = async (publicKeyDer) => hex(await sha256(publicKeyDer));

/** Twelve letters (60 bits) of a fingerprint, to compare in person: `K7QM-2B9F-TXRD`. */
export function comparisonCode(fingerprint) {
  let bits = BigInt("0x" + fingerprint) >> (256n - LETTER_BITS * BigInt(CODE_LENGTH));
  let code = "";
  for (let at = 0; at < CODE_LENGTH; at += 1) {
    code = CODE_LETTERS[Number(bits & 31n)] + code;
    bits >>= LETTER_BITS;
  }
  return code.match(new RegExp(`.{${CODE_GROUP}}`, "g")).join("-");
}

async function described(privateKey, publicKeyDer) {
  return { privateKey, publicKeyDer, fingerprint: await fingerprintOf(publicKeyDer) };
}
