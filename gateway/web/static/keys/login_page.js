// Signing in: with a passkey, or with IDgrid and password. It shows data; it signs nothing.

import { post } from "./ledger_client.js";
import { attempt } from "./page_problem.js";
import { hasPasskeys, signIn } from "./passkey.js";

const page = document.getElementById("login");
page.querySelector("[data-part=passkey]").hidden = !hasPasskeys;

async function enter(work) {
  if (await attempt(page, work)) location.assign("/");
}

page.querySelector("[data-action=passkey]").addEventListener("click", () => enter(signIn));
page.querySelector("[data-action=password]").addEventListener("submit", (event) => {
  event.preventDefault();
  const { idgrid, password } = event.target.elements;
  const given = { idgrid: idgrid.value.trim(), password: password.value };
  enter(() => post("/v1/login/password", given));
});
