// What the console's forms need beside signing: the check character of an IDgrid, and arguments that are
// JSON objects. The forms are signed by keys/sign.js.

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const MODULUS = 36;
const PPM_PER_PERCENT = 10_000;

for (const body of document.querySelectorAll("[data-idgrid-body]")) {
  body.addEventListener("input", () => {
    const isWhole = /^[A-Z][A-Z0-9]{1,7}-[A-Z0-9]{4,12}$/.test(body.value);
    document.getElementById(body.dataset.idgridBody).value = isWhole ? complete(body.value) : "";
  });
}
for (const target of document.querySelectorAll("[data-json]")) {
  const form = target.closest("form");
  form.addEventListener("input", () => { target.value = json(form); });
  target.value = json(form);
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

/** The parameters of a sharing key: only what its kind takes. */
function json(form) {
  const content = {};
  for (const field of form.querySelectorAll("[data-json-field]")) {
    const { jsonField, jsonNumber, jsonUtc } = field.dataset;
    if (jsonUtc !== undefined) content[jsonField] = Date.parse(`${field.value}Z`) || 0;
    else content[jsonField] = jsonNumber === undefined ? field.value : Number(field.value);
  }
  const members = {};
  const isStatic = content.kind === "static";
  for (const field of form.querySelectorAll("[data-json-member]")) {
    const value = Number(field.value.replace(",", "."));
    if (field.value) members[field.dataset.jsonMember] = isStatic ? Math.round(value * PPM_PER_PERCENT) : value;
  }
  if (isStatic) content.parts = members;
  if (content.kind === "priority") content.ranks = members;
  return JSON.stringify(content);
}
