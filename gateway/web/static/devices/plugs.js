// Switches a plug: asks first, sends the command, and tells how the plug answered.

import { meaningOf } from "../refusals.js";
import { get, post, Refused } from "../requests.js";

const ASKED_EVERY_MS = 500;
const AFTER_A_BLOCK_MS = 700;
const FINAL = ["done", "failed", "refused"];
const dialog = document.getElementById("plug-dialog");
const question = dialog.querySelector("[data-part=question]");
const status = document.getElementById("plug-status");
const words = JSON.parse(status.dataset.words);

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function say(text, tone) {
  status.textContent = text;
  status.className = `hint ${tone}`;
  status.hidden = false;
}

/** Resolves to yes or no; closing the dialog is a no. */
function confirmed(text) {
  question.textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function switched(device, isOn) {
  const address = `/v1/devices/${encodeURIComponent(device)}`;
  let command = await post(`${address}/switch`, { on: isOn });
  while (!FINAL.includes(command.status)) {
    await pause(ASKED_EVERY_MS);
    command = await get(`${address}/commands/${command.command_id}`);
  }
  return command;
}

// The buttons are exchanged when the page renews itself, so their list listens.
document.getElementById("plugs").addEventListener("click", async (event) => {
  const button = event.target.closest("[data-switch]");
  if (button === null || !(await confirmed(button.dataset.question))) return;
  say(words.sent, "");
  try {
    const command = await switched(button.dataset.switch, button.dataset.to === "on");
    if (command.status === "done") say(words.done, "good");
    else say(`${words.failed} ${words[command.reason] ?? command.reason}`, "bad");
  } catch (error) {
    if (error instanceof Refused) say(`${words.failed} ${await meaningOf(error.problem)}`, "bad");
    else say(words.lost, "bad"); // the plug may have got it
  }
  // The page fetches itself anew. It ignores what comes soon after a block, when it just did so.
  await pause(AFTER_A_BLOCK_MS);
  document.body.dispatchEvent(new Event("ledger-block"));
});
