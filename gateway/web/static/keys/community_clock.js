// The community's clocks, the other way round: what a person enters in local time, as ms UTC.

const MS_PER_MINUTE = 60_000;
const MS_PER_DAY = 86_400_000;

/** Whose clocks the page shows: `{utcOffsetMinutes, timeZone}`; the zone is empty for a fixed offset. */
export function pageClock() {
  const { utcOffsetMinutes, timeZone } = document.getElementById("sign-dialog").dataset;
  return { utcOffsetMinutes: Number(utcOffsetMinutes), timeZone };
}

/**
 * The instant of `2026-01-15T10:30`, or at which the day `2026-01-15` begins; NaN for anything else.
 *
 * Of an hour that the clocks show twice it is the first; one that they leave out is taken by the
 * offset from before, as the gateway does (`gateway.local_time`): the dialog shows what came of it.
 */
export function localInstant(text, clock) {
  const asUtc = Date.parse(text.includes("T") ? `${text}Z` : text);
  if (Number.isNaN(asUtc)) return asUtc;
  const offsets = [-MS_PER_DAY, MS_PER_DAY].map((by) => offsetMs(asUtc + by, clock));
  const found = offsets.find((offset) => offsetMs(asUtc - offset, clock) === offset);
  return asUtc - (found ?? offsets[0]);
}

/** How far the clocks are ahead of UTC at an instant. */
function offsetMs(timeMs, { utcOffsetMinutes, timeZone }) {
  if (!timeZone) return utcOffsetMinutes * MS_PER_MINUTE;
  const fields = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
  const format = new Intl.DateTimeFormat("en-GB", { ...fields, timeZone, hourCycle: "h23" });
  const parts = Object.fromEntries(format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - timeMs;
}
