// A form's fields as a contract's arguments: texts as they are, amounts as whole units.

/** Arguments of a form's fields, in their order; decimals become whole units exactly. */
export function argumentsOf(form) {
  const args = [];
  for (const field of form.querySelectorAll("[data-argument]")) {
    const units = field.dataset.units;
    args[Number(field.dataset.argument)] = units ? wholeUnits(field.value, units) : field.value;
  }
  return args;
}

/** `kind` names a sentence of the page, which puts the value into it. */
function notAnAmount(kind, value) {
  return Object.assign(new Error(`${kind}: ${value}`), { kind, value });
}

/** `1.5` or `1,5` times `units` as a whole number; throws when it is none. */
export function wholeUnits(value, units) {
  const parts = /^(\d{1,15})(?:[.,](\d{1,9}))?$/.exec(value.trim());
  if (!parts) throw notAnAmount("not_a_number", value);
  const fraction = parts[2] ?? "";
  const scaled = BigInt(parts[1] + fraction) * BigInt(units);
  const by = 10n ** BigInt(fraction.length);
  if (scaled % by !== 0n) throw notAnAmount("too_many_decimals", value);
  return String(scaled / by);
}
