// Registering a household: name and e-mail apart from the ledger, the IDgrid with their hash, the letter.
//
// Each step looks first whether it is done already, so pressing the button again goes on where it stopped.

import { get, post, Refused } from "../requests.js";
import { hex, utf8 } from "./bytes.js";
import { showLetter } from "./letter.js";
import { attempt, pageError } from "./page_problem.js";
import { ask, sign } from "./sign.js";

const SALT_BYTES = 16;
const HASH_BYTES = 32;
const page = document.getElementById("register");
const random = (size) => crypto.getRandomValues(new Uint8Array(size));

async function register(form) {
  const { idgrid, role, kind, name, email } = form.elements;
  const person = { name: name.value.trim(), email: email.value.trim().toLowerCase() };
  if (Boolean(person.name) !== Boolean(person.email)) throw pageError("name-and-email");
  const known = await registered(idgrid.value);
  if (!known) {
    const digest = person.email ? await recorded(idgrid.value, person) : hex(random(HASH_BYTES));
    if (!digest) return;
    tell("recorded", Boolean(person.email));
    const args = [idgrid.value, role.value, digest, kind.value];
    if (!(await sign("registry:register_participant", args))) return;
  } else if (person.email && known.personal_data_hash !== (await holderOf(person.email, idgrid.value))?.hash) {
    throw pageError("registered-otherwise");
  }
  tell("registered", true);
  showLetter(await post("/v1/letters", { idgrid: idgrid.value, purpose: "enrol" }));
  document.getElementById("sign-dialog").close();
}

/** The registry record; null before the IDgrid is registered. */
async function registered(idgrid) {
  try {
    return await get(`/v1/participants/${encodeURIComponent(idgrid)}`);
  } catch (error) {
    if (error instanceof Refused && error.problem.status === 404) return null;
    throw error;
  }
}

/** The hash of the private record, which is made unless it is there; null when the person said no. */
async function recorded(idgrid, person) {
  const present = await holderOf(person.email, idgrid);
  if (present && present.name !== person.name) throw pageError("another-name", present.name);
  if (present) return present.hash;
  const done = await sign("persons:record", [idgrid], {
    transient: { name: utf8(person.name), email: utf8(person.email), salt: random(SALT_BYTES) },
  });
  return done && JSON.parse(done.result).personal_data_hash;
}

/** `{name, hash}` of who uses the address, if it is this IDgrid; opens the register of persons once. */
async function holderOf(email, idgrid) {
  try {
    const found = await ask("persons:find", [], { transient: { email: utf8(email) } });
    if (found.idgrid !== idgrid) throw pageError("email-taken");
    return { name: found.name, hash: found.personal_data_hash };
  } catch (error) {
    const code = error instanceof Refused ? error.problem.code : "";
    if (code === "UNKNOWN_PERSON") return null;
    if (code !== "NO_INDEX_KEY") throw error;
    const opened = await sign("persons:set_index_key", [], { transient: { index_key: random(HASH_BYTES) } });
    if (!opened) throw pageError("not-allowed");
    return null;
  }
}

function tell(step, isDone) {
  page.querySelector(`[data-part="${step}"]`).hidden = !isDone;
}

page.addEventListener("submit", (event) => {
  event.preventDefault();
  tell("recorded", false);
  tell("registered", false);
  attempt(page, () => register(event.target));
});
