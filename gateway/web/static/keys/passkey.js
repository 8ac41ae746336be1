// Passkeys through the browser: options come as WebAuthn's JSON, answers go back as JSON.

import { post } from "../requests.js";
import { base64url, fromBase64url } from "./bytes.js";

/** Whether passkeys can be used at this address (browsers do not take IP addresses). */
export const hasPasskeys = Boolean(window.PublicKeyCredential) && !/^[\d.]+$|:/.test(location.hostname);

/** Make a passkey for the household that is signed in. */
export async function addPasskey(label) {
  const options = await post("/v1/passkeys/options", {});
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: fromBase64url(options.challenge),
      user: { ...options.user, id: fromBase64url(options.user.id) },
      excludeCredentials: (options.excludeCredentials ?? []).map(described),
    },
  });
  await post("/v1/passkeys", { label, credential: asJson(made, {
    attestationObject: made.response.attestationObject,
  }) });
}

/** Sign in with any passkey of this community. */
export async function signIn() {
  const options = await post("/v1/login/passkey/options", {});
  const found = await navigator.credentials.get({
    publicKey: { ...options, challenge: fromBase64url(options.challenge), allowCredentials: [] },
  });
  const { authenticatorData, signature, userHandle } = found.response;
  await post("/v1/login/passkey", {
    credential: asJson(found, { authenticatorData, signature, userHandle }),
  });
}

const described = (credential) => ({ ...credential, id: fromBase64url(credential.id) });

function asJson(credential, answers) {
  const response = { clientDataJSON: encoded(credential.response.clientDataJSON) };
  for (const [name, value] of Object.entries(answers)) {
    if (value) response[name] = encoded(value);
  }
  return { id: credential.id, rawId: encoded(credential.rawId), type: credential.type, response };
}

const encoded = (buffer) => base64url(new Uint8Array(buffer));
