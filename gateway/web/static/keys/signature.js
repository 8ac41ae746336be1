// ECDSA signatures as Fabric wants them: DER, low S. WebCrypto gives r ‖ s, 32 bytes each.

import { bigFromBytes, bytesFromBig } from "./bytes.js";
import { integer, sequence } from "./der.js";

export const CURVE_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const SCALAR_BYTES = 32;
const ECDSA = { name: "ECDSA", hash: "SHA-256" };

/** DER of r ‖ s with the lower of the two possible s: a signed message has one form. */
export function derSignature(raw) {
  if (raw.length !== 2 * SCALAR_BYTES) throw new Error("a signature has 64 bytes");
  const s = bigFromBytes(raw.subarray(SCALAR_BYTES));
  const low = s > CURVE_ORDER / 2n ? CURVE_ORDER - s : s;
  return sequence(integer(raw.subarray(0, SCALAR_BYTES)), integer(bytesFromBig(low, SCALAR_BYTES)));
}

/** Signature over SHA-256 of the message. */
export async function sign(privateKey, message) {
  return derSignature(new Uint8Array(await crypto.subtle.sign(ECDSA, privateKey, message)));
}

