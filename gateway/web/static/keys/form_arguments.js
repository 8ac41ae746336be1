// A form's fields as a contract's arguments: texts as they are, amounts as whole units, times as ms UTC.
//
// A field says where it belongs: `data-argument="0"`, or `data-member="kind"` within a part of the form
// that is an object, `data-object="0"`; `data-within="parts"` puts it into an object of that object. An object
// may have members without a field, `data-fixed='{"k":"1/2"}'`. A field says
// how it is read: `data-units="1000"` (an amount people write with decimals) or `data-local` (a time or a day
// of the community's clocks). What is switched off does not count.

import { localInstant, pageClock } from "./community_clock.js";

/** Arguments of a form's fields, in their order; decimals become whole units exactly. */
export function argumentsOf(form) {
  const args = [];
  for (const field of form.querySelectorAll("[data-argument]")) {
    args[Number(field.dataset.argument)] = valueOf(field);
  }
  const objects = form.querySelectorAll("[data-object]");
  for (const one of objects) args[Number(one.dataset.object)] = JSON.stringify(membersOf(one));
  return args;
}

/** A text, an amount in whole units, or an instant in ms UTC; an instant left empty is 0: now. */
function valueOf(field) {
  const { units, local } = field.dataset;
  if (local !== undefined) return String(field.value ? localInstant(field.value, pageClock()) : 0);
  return units ? wholeUnits(field.value, units) : field.value;
}

/** The fields of a part of a form as members of an object; those left empty are left out. */
function membersOf(part) {
  const members = JSON.parse(part.dataset.fixed ?? "{}");
  for (const field of part.querySelectorAll("[data-member]")) {
    if (!field.value || field.matches(":disabled")) continue;
    const { member, within, units, local } = field.dataset;
    const isNumber = units !== undefined || local !== undefined;
    const target = within === undefined ? members : (members[within] ??= {});
    target[member] = isNumber ? Number(valueOf(field)) : field.value;
  }
  return members;
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
