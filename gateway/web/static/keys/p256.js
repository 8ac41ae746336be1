// The public key of a private one on P-256: what WebCrypto does not compute when a key is imported.
//
// It runs once, on the owner's device, when a recovery phrase or a key file is read. Its time
// depends on the key, so it is used for nothing else; signing is WebCrypto's.

import { bytesFromBig, concat } from "./bytes.js";
import { CURVE_ORDER } from "./signature.js";

const PRIME = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const BASE_X = 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n;
const BASE_Y = 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n;
const COORDINATE_BYTES = 32;

const modulo = (number) => ((number % PRIME) + PRIME) % PRIME;

function inverse(number) {
  let [low, high] = [modulo(number), PRIME];
  let [lowFactor, highFactor] = [1n, 0n];
  while (low > 1n) {
    const quotient = high / low;
    [low, high] = [high - quotient * low, low];
    [lowFactor, highFactor] = [highFactor - quotient * lowFactor, lowFactor];
  }
  return modulo(lowFactor);
}

// Points in Jacobian coordinates; null is the point at infinity (a = -3).
function double(point) {
  if (point === null) return null;
  const [x, y, z] = point;
  const ySquared = modulo(y * y);
  const zSquared = modulo(z * z);
  const s = modulo(4n * x * ySquared);
  const m = modulo(3n * (x - zSquared) * (x + zSquared));
  const newX = modulo(m * m - 2n * s);
  return [newX, modulo(m * (s - newX) - 8n * ySquared * ySquared), modulo(2n * y * z)];
}

function add(point, x, y) {
  if (point === null) return [x, y, 1n];
  const [x1, y1, z1] = point;
  const zSquared = modulo(z1 * z1);
  const h = modulo(x * zSquared - x1);
  const r = modulo(y * zSquared * z1 - y1);
  if (h === 0n) return r === 0n ? double(point) : null;
  const hSquared = modulo(h * h);
  const hCubed = modulo(h * hSquared);
  const v = modulo(x1 * hSquared);
  const newX = modulo(r * r - hCubed - 2n * v);
  return [newX, modulo(r * (v - newX) - y1 * hCubed), modulo(h * z1)];
}

/** The uncompressed point (65 bytes: 4, x, y) of a private scalar. */
export function publicPoint(scalar) {
  if (scalar <= 0n || scalar >= CURVE_ORDER) throw new Error("not a private key on P-256");
  let sum = null;
  for (const bit of scalar.toString(2)) {
    sum = double(sum);
    if (bit === "1") sum = add(sum, BASE_X, BASE_Y);
  }
  const factor = inverse(sum[2]);
  const squared = modulo(factor * factor);
  return concat(
    Uint8Array.of(4), bytesFromBig(modulo(sum[0] * squared), COORDINATE_BYTES),
    bytesFromBig(modulo(sum[1] * squared * factor), COORDINATE_BYTES),
  );
}
