// Signing in with a key of this browser: it signs a challenge for this address and this household.

import { get, post, Refused } from "../requests.js";
import { base64, utf8 } from "./bytes.js";
import { storedKeys } from "./key_store.js";
import { sign } from "./signature.js";

const HEAD = "gridledger sign-in 1";

/** A session that ends with this key; refused with RECOVERY_PENDING while another is to replace it. */
export async function signInWithKey(key) {
  const { challenge } = await post("/v1/login/key/options", {});
  const message = utf8([HEAD, location.origin, key.idgrid, challenge].join("\n"));
  await post("/v1/login/key", {
    idgrid: key.idgrid,
    public_key: base64(key.publicKeyDer),
    challenge,
    signature: base64(await sign(key.privateKey, message)),
  });
}

/** The newest key of each household that this browser can sign with. */
export async function householdKeys() {
  const keys = (await storedKeys()).filter((key) => key.idgrid && key.certificatePem);
  return [...new Map(keys.map((key) => [key.idgrid, key])).values()];
}

/** Bind the session that was just opened to this browser's key of the household, if it has one. */
export async function bindSession() {
  const { items } = await get("/v1/keys");
  const own = new Set(items.map((named) => named.fingerprint)); // none for staff, who stay staff
  const key = (await householdKeys()).find((one) => own.has(one.fingerprint));
  if (!key) return;
  try {
    await signInWithKey(key);
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // a key that has ended
  }
}
