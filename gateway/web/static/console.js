// What the console's forms need beside signing: the check character of an IDgrid, and fields that only one
// choice takes. The forms are signed by keys/sign.js, their fields read by keys/form_arguments.js.

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const MODULUS = 36;

for (const body of document.querySelectorAll("[data-idgrid-body]")) {
  body.addEventListener("input", () => {
    const isWhole = /^[A-Z][A-Z0-9]{1,7}-[A-Z0-9]{4,12}$/.test(body.value);
    document.getElementById(body.dataset.idgridBody).value = isWhole ? complete(body.value) : "";
  });
}
for (const choice of document.querySelectorAll("[data-chooses]")) {
  choice.addEventListener("input", () => showChosen(choice));
  showChosen(choice);
}

/** ISO/IEC 7064 MOD 37,36 over community and number; hyphens do not count. */
function complete(body) {
  let product = MODULUS;
  for (const letter of body.replaceAll("-", "")) {
    const total = (product + ALPHABET.indexOf(letter)) % MODULUS || MODULUS;
    product = (2 * total) % (MODULUS + 1);
  }
  return `${body}-${ALPHABET[(MODULUS + 1 - product) % MODULUS]}`;
}

/** Of the parts of a form only the one that the choice takes is shown, and signed. */
function showChosen(choice) {
  for (const part of choice.form.querySelectorAll("[data-only-for]")) {
    part.hidden = part.dataset.onlyFor !== choice.value;
    part.disabled = part.hidden;
  }
}
