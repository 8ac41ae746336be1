// Signing in: with this browser's key, with a passkey, or with IDgrid and password. It signs no order.

import { post, Refused } from "../requests.js";
import { bindSession, householdKeys, signInWithKey } from "./key_login.js";
import { attempt, pageError } from "./page_problem.js";
import { hasPasskeys, signIn } from "./passkey.js";
import { pageFacts, sign } from "./sign.js";

const page = document.getElementById("login");
const part = (name) => page.querySelector(`[data-part="${name}"]`);
part("passkey").hidden = !hasPasskeys;

async function enter(work) {
  if (await attempt(page, work)) location.assign("/");
}

async function showKeys() {
  const keys = await householdKeys();
  part("keys").replaceChildren(...keys.map((key) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = part("keys").dataset.textKey.replace("{idgrid}", key.idgrid);
    made.addEventListener("click", () => enter(() => withKey(key)));
    return made;
  }));
  part("keys").hidden = keys.length === 0;
}

async function withKey(key) {
  try {
    await signInWithKey(key);
  } catch (error) {
    if (error instanceof Refused && error.problem.code === "RECOVERY_PENDING") {
      offerToUndo(key, error.problem.fingerprint);
    }
    throw error;
  }
}

/** A recovery that the household did not ask for: any of its keys undoes it. */
function offerToUndo(key, fingerprint) {
  part("undo").hidden = false;
  part("undo").onclick = () => enter(async () => {
    pageFacts().dialog.dataset.idgrid = key.idgrid;
    if (!(await sign("signers:revoke", [key.idgrid, fingerprint]))) throw pageError("not-allowed");
    await signInWithKey(key);
  });
}

page.querySelector("[data-action=passkey]").addEventListener("click", () => enter(async () => {
  await signIn();
  await bindSession();
}));
page.querySelector("[data-action=password]").addEventListener("submit", (event) => {
  event.preventDefault();
  const { idgrid, password } = event.target.elements;
  const given = { idgrid: idgrid.value.trim(), password: password.value };
  enter(async () => {
    await post("/v1/login/password", given);
    await bindSession();
  });
});
showKeys();
