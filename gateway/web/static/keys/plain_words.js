// What a proposal says, in plain words, out of the very bytes that are about to be signed.
//
// The sentences come with the page (translated there); this file only fills them in. A function
// without a sentence is shown by its name and its arguments as they are: never hidden, never guessed.

import { textOf } from "./bytes.js";
import { comparisonCode } from "./key_pair.js";

const WH_PER_KWH = 1000n;
const W_PER_KW = 1000n;
const UTOKEN_PER_TOKEN = 1_000_000n;
const LISTING = /^(\d{4})-(\d{2})-(\d{2})T(\d{2})$/;
const IDGRID = /^[A-Z0-9-]+$/;
const MS_PER_MINUTE = 60_000;
const MS_PER_HOUR = 3_600_000;
const MS_PER_DAY = 86_400_000n;
const HOURS_PER_DAY = 24;
const PPM_PER_PERCENT = 10_000n;
const FRACTION_DIGITS_MAX = 6;

/** Values that are words of the contract, which the page has words for. */
const NAMED = new Set([
  "side", "kind", "role", "grantee", "source_type", "agent_sells", "to", "at", "limits", "tariff", "from",
  "rule", "preset", "defaults",
]);

/**
 * What a post says, which its taker signs beside its id: an id tells nobody what it costs, so
 * without them there are no plain words.
 */
const TERMS = [["hour", hour], ["energy", energy], ["lot", lot]];

/** What is read from the arguments of each function: [name of the value, how it is read]. */
const READINGS = {
  "market:place_offer": [["hour", hour], ["source", text], ["energy", energy], ["price", price]],
  "market:place_bid": [["hour", hour], ["energy", energy], ["price", price], ["preferred", text]],
  "orders:cancel": [["hour", hour], ["order", text]],
  "orders:replace": [["hour", hour], ["order", text], ["energy", energy], ["price", price]],
  "standing:place": [["standing", standing]],
  "standing:withdraw": [["order", text]],
  "marketplace:post_offer": [["hour", hour], ["source", text], ["energy", energy], ["lot", lot], ["charge", text]],
  "marketplace:post_request": [["hour", hour], ["energy", energy], ["lot", lot], ["acceptance", text]],
  "marketplace:reserve": [["post", text], ...TERMS],
  "marketplace:release": [["post", text]],
  "marketplace:buy": [["post", text], ...TERMS],
  "marketplace:delete": [["post", text]],
  "marketplace:request_to_sell": [["post", text], ["source", text], ...TERMS],
  "marketplace:accept": [["post", text], ...TERMS],
  "marketplace:decline": [["post", text]],
  "marketplace:confirm": [["post", text], ["energy", energy]],
  "signers:add": [["key", letters], ["kind", text]],
  "signers:add_agent": [["key", letters], ["limits", agentLimits]],
  "signers:revoke": [["idgrid", text], ["key", letters]],
  "signers:enrol": [["idgrid", text], ["key", letters]],
  "signers:recover": [["idgrid", text], ["key", letters]],
  "membership:consent": [["terms", text]],
  "membership:withdraw_consent": [],
  "access:grant": [["grantee", text], ["meter", text]],
  "access:revoke": [["grantee", text], ["meter", text]],
  "persons:record": [["idgrid", text]],
  "persons:set_index_key": [],
  "registry:register_participant": [["idgrid", text], ["role", text], ["hash", text], ["kind", text]],
  "registry:register_meter": [["meter", text], ["idgrid", text], ["public_key", text], ["at", measured]],
  "devices:register": [["meter", text], ["kind", text], ["idgrid", text], ["public_key", text], ["at", measured],
    ["tier", text]],
  "devices:replace_key": [["meter", text], ["public_key", text], ["tier", text]],
  "registry:register_res": [["source", text], ["idgrid", text], ["source_type", text], ["power", power]],
  "registry:authorise_res": [["source", text]],
  "registry:withdraw_res": [["source", text]],
  "registry:approve_participant": [["idgrid", text]],
  "registry:approve_meter": [["meter", text]],
  "registry:approve_res": [["source", text]],
  "auction:approve_order": [["hour", hour], ["idgrid", text], ["order", text]],
  "membership:suspend": [["idgrid", text], ["reason", text]],
  "membership:set_contract": [["idgrid", text], ["limits", contract]],
  "devices:offer_transfer": [["meter", text], ["to", (to) => to || "nobody"]],
  "devices:accept_transfer": [["meter", text], ["at", measured]],
  "membership:reinstate": [["idgrid", text]],
  "membership:leave": [["idgrid", text], ["reason", text]],
  "tokens:deposit": [["idgrid", text], ["amount", lot], ["reference", text]],
  "tokens:redeem": [["amount", lot], ["reference", text]],
  "listings:set_defaults": [["defaults", marketTerms]],
  "listings:AuthorizeOfferCom": [["hour", hour]],
  "listings:stop": [["hour", hour], ["reason", text]],
  "oracle:publish_price": [["tariff", text], ["price", price], ["from", fromNowOn], ["days", days]],
  "sharing:agree": [["agreed", sharingKey]],
  "statements:issue": [["month", text]],
};

/** What goes beside the ledger: how each private value is read; null is random and says nothing. */
const PRIVATE_READINGS = {
  "persons:record": { name: text, email: text, salt: null },
  "persons:set_index_key": { index_key: null },
};

/**
 * `{title, lines: [{name, label, value}], isKnown}` of an opened proposal.
 *
 * `words` has `titles[function]`, `labels[name]` and `unknown`; `locale` and `utcOffsetMinutes`
 * say how numbers and hours are written.
 */
export function plainWords(opened, { words, locale, utcOffsetMinutes, timeZone }) {
  const [name, ...args] = opened.args;
  const title = words.titles[name];
  const found = title === undefined ? null : readAll(name, args, { locale, utcOffsetMinutes, timeZone });
  const beside = found === null ? null : readPrivate(name, opened);
  const isKnown = beside !== null;
  const lines = isKnown ? [...found, ...beside] : args.map((value, at) => ({ name: String(at + 1), value }));
  return {
    title: isKnown ? title : words.unknown.replace("{function}", name),
    lines: lines.map((line) => ({
      name: line.name,
      label: words.labels[line.name] ?? line.name,
      value: (NAMED.has(line.name) && words.values?.[line.value]) || line.value,
    })),
    isKnown,
  };
}

/** Every private value that can be read; null when there is one that this page does not know. */
function readPrivate(name, { transient, privately }) {
  const readings = PRIVATE_READINGS[name] ?? {};
  if (transient.some((one) => !(one in readings))) return null;
  try {
    return transient.filter((one) => readings[one])
      .map((one) => ({ name: `person_${one}`, value: readings[one](textOf(privately[one])) }));
  } catch {
    return null;
  }
}

/** Every value of the arguments; null when one cannot be read or some are left over. */
function readAll(name, args, format) {
  const readings = READINGS[name];
  if (readings === undefined || args.length > readings.length) return null;
  if (readings.includes(TERMS.at(-1)) && args.length < readings.length) return null;
  try {
    const lines = args.flatMap((argument, at) => {
      const [label, read] = readings[at];
      const value = read(argument, format);
      return Array.isArray(value) ? value : [{ name: label, value }];
    });
    return [...idLast(lines), ...totalOf(name, args, format)];
  } catch {
    return null;
  }
}

/** A post's long id stands below what it says in words. */
function idLast(lines) {
  const isId = ({ name }) => name === "post";
  return [...lines.filter((line) => !isId(line)), ...lines.filter(isId)];
}

/** What the energy of a bid may cost at most, what an offer brings at least; rounded as the contract does. */
function totalOf(name, args, { locale }) {
  const at = { "market:place_offer": 2, "market:place_bid": 1, "orders:replace": 2 }[name];
  if (at === undefined) return [];
  const product = whole(args[at]) * whole(args[at + 1]);
  const isBid = name === "market:place_bid";
  const utoken = (product + (isBid ? WH_PER_KWH - 1n : 0n)) / WH_PER_KWH;
  const label = { "market:place_offer": "at_least", "market:place_bid": "at_most" }[name] ?? "worth";
  return [{ name: label, value: amount(utoken, UTOKEN_PER_TOKEN, locale) }];
}

function standing(argument, format) {
  const order = JSON.parse(argument);
  const known = ["side", "energy_wh", "price_utoken_per_kwh", "res_id", "until_ms", "from_ms",
    "listings_max", "budget_utoken", "hours_utc"];
  if (Object.keys(order).some((name) => !known.includes(name))) throw new Error("unknown member");
  const lines = [
    { name: "side", value: order.side },
    { name: "energy", value: energy(String(order.energy_wh), format) },
    { name: "price", value: price(String(order.price_utoken_per_kwh), format) },
  ];
  if (order.res_id) lines.push({ name: "source", value: order.res_id });
  if (order.from_ms) lines.push({ name: "from", value: instant(order.from_ms, format) });
  lines.push({ name: "until", value: instant(order.until_ms, format) });
  if (order.hours_utc?.length) {
    const day = Math.floor((order.until_ms - 1) / MS_PER_HOUR / HOURS_PER_DAY) * HOURS_PER_DAY;
    lines.push({ name: "hours", value: order.hours_utc.map((at) => hourOfDay(day + at, format)).join(", ") });
  }
  if (order.listings_max !== undefined) {
    lines.push({ name: "orders_max", value: amount(BigInt(order.listings_max), 1n, format.locale) });
  }
  if (order.budget_utoken !== undefined) {
    const budget = amount(BigInt(order.budget_utoken), UTOKEN_PER_TOKEN, format.locale);
    lines.push({ name: "budget", value: budget });
  }
  return lines;
}

function agentLimits(argument, format) {
  const limits = JSON.parse(argument);
  const known = ["bid_price_max_utoken_per_kwh", "offer_price_min_utoken_per_kwh", "hour_wh_max",
    "day_wh_max", "until_ms"];
  if (Object.keys(limits).some((name) => !known.includes(name))) throw new Error("unknown member");
  const sells = limits.offer_price_min_utoken_per_kwh;
  return [
    { name: "agent_buys", value: price(String(limits.bid_price_max_utoken_per_kwh), format) },
    { name: "agent_sells", value: sells === null ? "nothing" : price(String(sells), format) },
    { name: "agent_hour", value: energy(String(limits.hour_wh_max), format) },
    { name: "agent_day", value: energy(String(limits.day_wh_max), format) },
    { name: "until", value: instant(limits.until_ms, format) },
  ];
}

/** The terms of a contract; what is left out is not limited. */
function contract(argument, format) {
  const readings = {
    from_ms: instant, until_ms: instant, capacity_w: (w) => power(String(w), format),
    orders_max: (count) => amount(BigInt(count), 1n, format.locale),
    incentive_utoken_per_kwh: (utoken) => price(String(utoken), format),
    priority_class: String,
  };
  const labels = {
    from_ms: "from", until_ms: "until", capacity_w: "power", orders_max: "orders_max",
    incentive_utoken_per_kwh: "incentive", priority_class: "priority",
  };
  const terms = Object.entries(JSON.parse(argument));
  if (terms.some(([name]) => !(name in readings))) throw new Error("unknown member");
  if (terms.length === 0) return "nothing";
  return terms.map(([name, value]) => ({ name: labels[name], value: readings[name](value, format) }));
}

/** A sharing key with the part or the rank of every household, which the line is named by. */
function sharingKey(argument, format) {
  const { kind, slot_minutes: minutes, effective_from_ms: fromMs, ...members } = JSON.parse(argument);
  const taken = { static: ["parts", percent], priority: ["ranks", count], dynamic: [] }[kind];
  const [within, read] = taken;
  const shares = Object.entries(members[within] ?? {});
  const isOdd = Object.keys(members).some((name) => name !== within) || shares.some(([name]) => !IDGRID.test(name));
  if (isOdd) throw new Error("unknown member");
  return [
    { name: "kind", value: kind },
    { name: "slot", value: `${count(minutes, format)} min` },
    { name: "from", value: instant(Number(whole(String(fromMs))), format) },
    ...shares.map(([idgrid, value]) => ({ name: idgrid, value: read(value, format) })),
  ];
}

/** What every listing fixes; a term without words here is told by its own name, as it stands. */
function marketTerms(argument, format) {
  const readings = {
    floor_utoken_per_kwh: ["floor", (utoken) => price(String(utoken), format)],
    cap_utoken_per_kwh: ["cap", (utoken) => price(String(utoken), format)],
    max_order_wh: ["order_energy", (wh) => energy(String(wh), format)],
    rule: ["rule", String],
    preset: ["preset", String],
  };
  const terms = Object.entries(JSON.parse(argument));
  if (terms.length === 0) return "nothing";
  return terms.map(([term, value]) => {
    const [name, read] = readings[term] ?? [term, (one) => (typeof one === "string" ? one : JSON.stringify(one))];
    return { name, value: read(value) };
  });
}

function percent(ppm, { locale }) {
  return `${amount(whole(String(ppm)), PPM_PER_PERCENT, locale)} %`;
}

function count(number, { locale }) {
  return amount(whole(String(number)), 1n, locale);
}

function text(argument) {
  return argument;
}

/** What a device measures: a source, or without one the connection. */
function measured(source) {
  return source || "connection";
}

/** An instant; 0 is the moment of the transaction. */
function fromNowOn(argument, format) {
  return argument === "0" ? "now" : instant(Number(whole(argument)), format);
}

function days(argument, { locale }) {
  const found = whole(argument);
  if (found % MS_PER_DAY !== 0n) throw new Error("not whole days");
  return amount(found / MS_PER_DAY, 1n, locale);
}

/** The letters by which people compare keys. */
function letters(argument) {
  if (!/^[0-9a-f]{64}$/.test(argument)) throw new Error("not a fingerprint");
  return comparisonCode(argument);
}

function energy(argument, { locale }) {
  return `${amount(whole(argument), WH_PER_KWH, locale)} kWh`;
}

function power(argument, { locale }) {
  return `${amount(whole(argument), W_PER_KW, locale)} kW`;
}

function price(argument, { locale }) {
  return `${amount(whole(argument), UTOKEN_PER_TOKEN, locale)} / kWh`;
}

/** The price of a whole lot, in tokens. */
function lot(argument, { locale }) {
  return amount(whole(argument), UTOKEN_PER_TOKEN, locale);
}

function hour(argument, format) {
  const parts = LISTING.exec(argument);
  if (!parts) throw new Error("not an hour");
  const [, year, month, day, hours] = parts.map(Number);
  const startMs = Date.UTC(year, month - 1, day, hours);
  const end = instant(startMs + MS_PER_HOUR, format, { hour: "2-digit", minute: "2-digit" });
  return `${instant(startMs, format)}–${end}`;
}

/** A time of the community's clock: of its zone where that has a name, else by its fixed offset. */
export function instant(timeMs, { locale, utcOffsetMinutes, timeZone }, parts = { dateStyle: "medium", timeStyle: "short" }) {
  const shown = timeZone ? timeMs : timeMs + utcOffsetMinutes * MS_PER_MINUTE;
  return new Intl.DateTimeFormat(locale, { ...parts, timeZone: timeZone || "UTC", hourCycle: "h23" }).format(new Date(shown));
}

/** By the clocks of that very day: an hour in UTC is another local one in summer than in winter. */
function hourOfDay(hoursUtc, format) {
  return instant(hoursUtc * MS_PER_HOUR, format, { hour: "2-digit", minute: "2-digit" });
}

function whole(argument) {
  if (!/^\d{1,19}$/.test(argument)) throw new Error("not a whole number");
  return BigInt(argument);
}

/** `value / per` exactly, in the locale's digits: no rounding hides what is signed. */
export function amount(value, per, locale) {
  const digits = String(per).length - 1;
  const exact = `${value / per}.${String(value % per).padStart(Math.max(digits, 1), "0")}`;
  const format = new Intl.NumberFormat(locale, { maximumFractionDigits: FRACTION_DIGITS_MAX });
  return format.format(exact);
}
