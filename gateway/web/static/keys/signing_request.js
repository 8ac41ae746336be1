// A certificate signing request (PKCS #10): the key's owner proves that it has the key.

import { pem } from "./bytes.js";
import {
  bitString, integer, noAttributes, objectIdentifier, sequence, set, utf8String,
} from "./der.js";
import { sign } from "./signature.js";

const COMMON_NAME = [0x55, 0x04, 0x03];
const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/** PEM of a request; the authority takes the key from it and nothing else. */
export async function signingRequest({ privateKey, publicKeyDer, commonName }) {
  const name = sequence(
    set(sequence(objectIdentifier(COMMON_NAME), utf8String(commonName))),
  );
  const version = integer(Uint8Array.of(0));
  const content = sequence(version, name, publicKeyDer, noAttributes());
  const algorithm = sequence(objectIdentifier(ECDSA_WITH_SHA256));
  const signature = bitString(await sign(privateKey, content));
  return pem("CERTIFICATE REQUEST", sequence(content, algorithm, signature));
}
