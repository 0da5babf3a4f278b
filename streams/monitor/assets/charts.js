// Draws every <figure data-chart> with uPlot: strips over one time axis, one cursor for all charts of the page.
// The shape of data-chart is that of Chart.json in pages/drawing.py; the table beside it has the same numbers.
const STRIP_HEIGHT = 96;
const TIME_HEIGHT = 26;
const SIDE = 60;
const DAY_S = 86400;
let drawn = [];

// A canvas takes no custom property: what the style sheet makes of it for this scheme does.
function colours() {
  const asked = document.body.appendChild(document.createElement("i"));
  const found = (name) => {
    asked.style.color = `var(${name})`;
    return getComputedStyle(asked).color;
  };
  const names = ["blue", "ink-2", "ink-3", "line", "shade", "band"];
  const all = Object.fromEntries(names.map((name) => [name, found(`--${name}`)]));
  asked.remove();
  return all;
}

const ROLES = {
  main: (ink) => ({ stroke: ink.blue, width: 1.75, points: { show: true, size: 4, fill: ink.blue, filter: alone } }),
  peer: (ink) => ({ stroke: ink["ink-3"], width: 1.25, dash: [4, 3], points: { show: false } }),
  low: () => ({ width: 0, points: { show: false } }),
  high: () => ({ width: 0, points: { show: false } }),
};

// A value between two gaps has no line: only a point shows it.
function alone(plot, series) {
  const values = plot.data[series];
  const isGap = (place) => values[place] === null || values[place] === undefined;
  return values.flatMap((_, place) => (!isGap(place) && isGap(place - 1) && isGap(place + 1) ? [place] : []));
}

function textOf(unit) {
  if (unit === "%") return (value) => (value === null ? "n/a" : `${Number((100 * value).toFixed(1))} %`);
  return (value) => (value === null ? "n/a" : `${Number(value.toPrecision(3)).toLocaleString("en")} ${unit}`);
}

function clockOf(zone) {
  const format = (parts) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...parts });
  const hours = format({ hour: "2-digit", minute: "2-digit" });
  const days = format({ day: "numeric", month: "short" });
  const all = format({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return {
    whole: (seconds) => all.format(seconds * 1000),
    ticks: (_, splits, __, ___, step) => splits.map((at) => (step >= DAY_S || hours.format(at * 1000) === "00:00" ? days : hours).format(at * 1000)),
  };
}

// The spans in which the worker was behind: drawn below the lines, so that a dip in counting is told from one in calls.
function shading(spans, fill) {
  return {
    hooks: {
      drawClear: (plot) => {
        plot.ctx.save();
        plot.ctx.fillStyle = fill;
        for (const [from, to] of spans) {
          const left = Math.max(plot.bbox.left, plot.valToPos(from, "x", true));
          const right = Math.min(plot.bbox.left + plot.bbox.width, plot.valToPos(to, "x", true));
          plot.ctx.fillRect(left, plot.bbox.top, Math.max(2, right - left), plot.bbox.height);
        }
        plot.ctx.restore();
      },
    },
  };
}

function options(chart, strip, width, isLast, ink, onPlace) {
  const text = textOf(strip.unit);
  const clock = clockOf(chart.zone);
  const low = strip.lines.findIndex((line) => line.role === "low");
  const high = strip.lines.findIndex((line) => line.role === "high");
  const axis = { stroke: ink["ink-2"], grid: { stroke: ink.line, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  const highest = strip.unit === "%" ? () => [0, 1] : (_, __, top) => [0, Math.max(top || 0, 1e-9) * 1.1];
  return {
    width,
    height: STRIP_HEIGHT + (isLast ? TIME_HEIGHT : 0),
    padding: [6, 12, isLast ? 0 : 8, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), chart.zone),
    cursor: { sync: { key: "time" }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { y: { range: highest } },
    series: [{}, ...strip.lines.map((line) => ({ label: line.label, ...ROLES[line.role](ink) }))],
    bands: low >= 0 && high >= 0 ? [{ series: [high + 1, low + 1], fill: ink.band }] : [],
    axes: [
      { ...axis, size: isLast ? TIME_HEIGHT : 0, space: 70, values: isLast ? clock.ticks : () => [] },
      { ...axis, size: SIDE, space: 34, values: (_, values) => values.map(text) },
    ],
    legend: { show: false },
    plugins: [shading(chart.shaded, ink.shade)],
    hooks: { setCursor: [(plot) => onPlace(plot.cursor.idx ?? null)] },
  };
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// What the lines say at a place, or at the newest one that is known.
function readout(chart, strip, place) {
  const text = textOf(strip.unit);
  const shown = strip.lines.map((line) => {
    const at = place ?? line.values.findLastIndex((value) => value !== null);
    return `${strip.lines.length > 1 ? `${line.label} ` : ""}${text(line.values[at] ?? null)}`;
  });
  return shown.join(", ");
}

function draw(figure, ink) {
  const chart = JSON.parse(figure.dataset.chart);
  const canvas = figure.querySelector(".canvas");
  const width = Math.max(240, canvas.clientWidth);
  const when = element("p", "when");
  const said = [];
  const clock = clockOf(chart.zone);
  const say = (place) => {
    when.textContent = place === null ? "newest" : clock.whole(chart.x[place]);
    said.forEach((out, number) => (out.textContent = readout(chart, chart.strips[number], place)));
  };
  canvas.append(when);
  chart.strips.forEach((strip, number) => {
    const heading = element("p", "strip", `${strip.label} `);
    const box = element("div", "plot");
    said.push(heading.appendChild(element("b", "")));
    canvas.append(heading, box);
    const values = [chart.x, ...strip.lines.map((line) => line.values)];
    drawn.push(new uPlot(options(chart, strip, width, number === chart.strips.length - 1, ink, say), values, box));
  });
  say(null);
}

// Draw all charts anew: after the page came, changed, or got other colours or another width.
export function drawAll() {
  for (const plot of drawn) plot.destroy();
  drawn = [];
  const ink = colours();
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    figure.querySelector(".canvas").replaceChildren();
    draw(figure, ink);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
let planned = null;
addEventListener("resize", () => {
  clearTimeout(planned);
  planned = setTimeout(drawAll, 150);
});
