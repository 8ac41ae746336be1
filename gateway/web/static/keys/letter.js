// An enrolment letter on the page, to be printed; its code is shown now and never again.

import { pageClock } from "./community_clock.js";
import { instant } from "./plain_words.js";

const locale = document.documentElement.lang || "en";

/** Fill the page's letter (keys/letter.html) and show it; printing the page prints it alone. */
export function showLetter(letter) {
  const sheet = document.querySelector("[data-part=letter]");
  const part = (name) => sheet.querySelector(`[data-part="${name}"]`);
  part("idgrid").textContent = letter.idgrid;
  part("url").textContent = letter.url.split("#")[0];
  part("code").textContent = letter.code.match(/.{4}/g).join(" ");
  part("code").dataset.url = letter.url;
  part("expires").textContent = instant(letter.expires_ms, { locale, ...pageClock() }, { dateStyle: "long" });
  const drawing = new DOMParser().parseFromString(letter.qr_svg, "image/svg+xml").documentElement;
  part("qr").replaceChildren(document.importNode(drawing, true));
  sheet.querySelector("[data-action=print]").onclick = () => window.print();
  for (const other of document.querySelectorAll("main h1, main .tabs, main section")) {
    other.classList.toggle("no-print", other !== sheet && !other.contains(sheet));
  }
  sheet.hidden = false;
  sheet.scrollIntoView({ block: "start" });
}
