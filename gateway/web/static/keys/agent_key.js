// The key of an agent that trades while the household sleeps: made here, handed over once as a
// file, and kept nowhere. Its limits are signed by this browser's key and written on the ledger.

import { post } from "../requests.js";
import { pem } from "./bytes.js";
import { localInstant, pageClock } from "./community_clock.js";
import { wholeUnits } from "./form_arguments.js";
import { fingerprintOf } from "./key_pair.js";
import { pageError } from "./page_problem.js";
import { signingRequest } from "./signing_request.js";

const P256 = { name: "ECDSA", namedCurve: "P-256" };
const UTOKEN_PER_TOKEN = 1_000_000;
const WH_PER_KWH = 1000;
const INDENT = 1;

/** What the contract takes as limits, out of the form's fields. */
export function limitsOf({ elements }) {
  const units = (field, per) => {
    try {
      return Number(wholeUnits(field.value, per));
    } catch {
      throw pageError("not-a-number", field.value);
    }
  };
  const sells = elements.sells.value.trim();
  return {
    bid_price_max_utoken_per_kwh: units(elements.buys, UTOKEN_PER_TOKEN),
    offer_price_min_utoken_per_kwh: sells ? units(elements.sells, UTOKEN_PER_TOKEN) : null,
    hour_wh_max: units(elements.hour, WH_PER_KWH),
    day_wh_max: units(elements.day, WH_PER_KWH),
    until_ms: localInstant(elements.until.value, pageClock()),
  };
}

/**
 * Make the key, have it named with its limits, fetch its certificate.
 * @returns {Promise<{name, text} | null>} the file for the agent; null when nothing was signed
 */
export async function agentFile({ idgrid, limits, sign }) {
  const made = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const publicKeyDer = new Uint8Array(await crypto.subtle.exportKey("spki", made.publicKey));
  const fingerprint = await fingerprintOf(publicKeyDer);
  const requestPem = await signingRequest({ privateKey: made.privateKey, publicKeyDer, commonName: idgrid });
  if (!(await sign("signers:add_agent", [fingerprint, JSON.stringify(limits)]))) return null;
  const found = await post("/v1/keys/certificates", { request_pem: requestPem });
  const secret = new Uint8Array(await crypto.subtle.exportKey("pkcs8", made.privateKey));
  const content = {
    gateway: location.origin, idgrid, mspid: found.mspid,
    certificate_pem: found.certificate_pem, private_key_pem: pem("PRIVATE KEY", secret),
  };
  return { name: `agent-${fingerprint.slice(0, 8)}.json`, text: JSON.stringify(content, null, INDENT) };
}
