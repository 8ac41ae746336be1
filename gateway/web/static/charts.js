// Charts drawn over their tables: what a table says is what its chart shows, and gaps stay gaps.
// Values are read by touch, mouse or the arrow keys, and told in a line of text below the chart.
"use strict";

const LIGHT_OR_DARK = window.matchMedia("(prefers-color-scheme: dark)");
const BAR_SHARE = 0.8;
const BAR_WIDTH_MAX_PX = 40;
const AXIS_PX = 44;
const BAR_STEPS = [1, 2, 3, 4, 6, 7, 12, 14];
const TIME_STEPS_S = [1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400, 172800];
const charts = new Map();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Labels, x values and one list of values per series (null: gap) of a table, oldest first. */
function readTable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const columns = heads.map((cell, at) => ({ at, kind: cell.dataset.series, name: cell.textContent }))
    .filter((column) => column.kind)
    .sort((one, other) => Number(other.kind.startsWith("band")) - Number(one.kind.startsWith("band")));
  const rows = [...table.tBodies[0].rows].filter((row) => row.dataset.x !== undefined)
    .sort((one, other) => Number(one.dataset.x) - Number(other.dataset.x));
  return {
    columns,
    labels: rows.map((row) => row.dataset.label ?? row.cells[0].textContent),
    x: rows.map((row) => Number(row.dataset.x)),
    values: columns.map(({ at }) => rows.map((row) => (row.cells[at].dataset.y === undefined ? null : Number(row.cells[at].dataset.y)))),
    texts: columns.map(({ at }) => rows.map((row) => row.cells[at].textContent)),
  };
}

/** A step line ends with its last hour: one more point an hour later, with the same value. */
function withEndOfLastStep(kind, content) {
  if (kind !== "step" || content.x.length === 0) return [content.x, ...content.values];
  const width = content.x.length > 1 ? content.x[1] - content.x[0] : 3600;
  return [
    [...content.x, content.x.at(-1) + width],
    ...content.values.map((values) => [...values, values.at(-1)]),
  ];
}

function seriesOf(kind, columns) {
  const stepped = uPlot.paths.stepped({ align: 1 });
  return columns.map(({ kind: name, name: label }, at) => {
    if (name.startsWith("band")) return { label, stroke: colour("rule"), width: 1, paths: stepped, points: { show: false } };
    if (kind === "step") return { label, stroke: colour("clearing"), width: 3, paths: stepped, points: { show: false } };
    if (kind === "bars") {
      const paths = uPlot.paths.bars({ size: [BAR_SHARE / 2, BAR_WIDTH_MAX_PX], align: at === 0 ? -1 : 1 });
      return { label, fill: colour(name), stroke: colour(name), width: 0, paths, points: { show: false } };
    }
    return { label, stroke: colour(name), width: 2.5, points: { show: true, size: 5 } };
  });
}

function bandsOf(columns) {
  const low = columns.findIndex(({ kind }) => kind === "band-low");
  const high = columns.findIndex(({ kind }) => kind === "band-high");
  return low < 0 || high < 0 ? [] : [{ series: [high + 1, low + 1], fill: colour("band") }];
}

/** Text of an instant (seconds UTC) on the community's clocks; summer time is the zone's own. */
function clockOf(holder, lang) {
  const { timeZone, utcOffsetMinutes } = holder.dataset;
  const clock = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: timeZone || "UTC" });
  const aheadS = timeZone ? 0 : Number(utcOffsetMinutes) * 60;
  return (seconds) => clock.format((seconds + aheadS) * 1000);
}

function axes(kind, content, lang, clock) {
  const common = { stroke: colour("quiet"), grid: { stroke: colour("rule"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const across = kind === "bars"
    ? (_, splits) => splits.map((at) => (Number.isInteger(at) ? content.labels[at] ?? "" : ""))
    : (_, splits) => splits.map(clock);
  return [
    { ...common, grid: { show: false }, values: across, space: 52, incrs: kind === "bars" ? BAR_STEPS : TIME_STEPS_S },
    { ...common, size: AXIS_PX, values: (_, splits) => splits.map((value) => new Intl.NumberFormat(lang, { maximumFractionDigits: 3 }).format(value)) },
  ];
}

function tell(holder, content, at) {
  const line = document.getElementById(`${holder.id}-reading`);
  if (at === null || at === undefined || content.labels.length === 0) {
    line.textContent = line.dataset.hint;
    return;
  }
  const index = Math.min(at, content.labels.length - 1);
  const label = document.createElement("strong");
  label.textContent = content.labels[index];
  const told = content.columns.map(({ name }, column) => {
    const value = content.values[column][index];
    return `${name} ${value === null ? holder.dataset.gap : content.texts[column][index]}`;
  });
  line.replaceChildren(label, ` ${told.join(" · ")}`);
}

function draw(holder) {
  charts.get(holder)?.destroy();
  const table = document.getElementById(holder.dataset.table);
  if (!table) return;
  const kind = holder.dataset.chart;
  const content = readTable(table);
  const lang = document.documentElement.lang;
  const chart = new uPlot({
    width: holder.clientWidth,
    height: holder.clientHeight,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: kind !== "bars" } },
    scales: {
      x: kind === "bars" ? { time: false, range: () => [-0.6, Math.max(content.x.length, 1) - 0.4] } : { time: false },
      y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high ?? 1) * 1.08 || 1] },
    },
    series: [{}, ...seriesOf(kind, content.columns)],
    bands: bandsOf(content.columns),
    axes: axes(kind, content, lang, clockOf(holder, lang)),
    hooks: { setCursor: [(plot) => tell(holder, content, plot.cursor.idx)] },
  }, withEndOfLastStep(kind, content), holder);
  charts.set(holder, chart);
  holder.dataset.points = String(content.x.length);
  tell(holder, content, null);
}

/** Arrow keys read one value after the other, Home and End the first and the last. */
function onKey(event) {
  const holder = event.currentTarget;
  const chart = charts.get(holder);
  const count = Number(holder.dataset.points);
  const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -count, End: count };
  if (!chart || !count || !(event.key in steps)) return;
  event.preventDefault();
  const from = chart.cursor.idx ?? (event.key === "ArrowLeft" ? count : -1);
  const at = Math.max(0, Math.min(count - 1, from + steps[event.key]));
  chart.setCursor({ left: chart.valToPos(chart.data[0][at], "x"), top: 0 });
}

function start(holder) {
  holder.tabIndex = 0;
  holder.addEventListener("keydown", onKey);
  new ResizeObserver(() => draw(holder)).observe(holder);
}

const holders = [...document.querySelectorAll("[data-chart]")];
holders.forEach(start);
LIGHT_OR_DARK.addEventListener("change", () => holders.forEach(draw));
document.body.addEventListener("htmx:after:swap", () => {
  for (const holder of document.querySelectorAll("[data-chart]")) draw(holder);
});
