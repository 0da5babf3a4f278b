// Draws every <figure data-chart> with uPlot: strips over one time axis, one cursor for all charts of the page.
// The shape of data-chart is that of Chart.json in pages/drawing.py; the table beside it has the same numbers.
const HEIGHT = 112;
const CURSOR = "time";
let drawn = [];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const ROLES = {
  main: () => ({ stroke: colour("--blue"), width: 1.75 }),
  peer: () => ({ stroke: colour("--ink-3"), width: 1.25, dash: [4, 3] }),
  low: () => ({ stroke: "transparent", width: 0 }),
  high: () => ({ stroke: "transparent", width: 0 }),
};

function unitOf(unit) {
  if (unit === "%") return (value) => (value === null ? "n/a" : `${(100 * value).toFixed(0)} %`);
  return (value) => (value === null ? "n/a" : `${Number(value.toPrecision(3)).toLocaleString("en")} ${unit}`);
}

// The spans in which the worker was behind: drawn below the lines, so that a dip in counting is told from one in calls.
function shading(spans) {
  return {
    hooks: {
      drawClear: (plot) => {
        plot.ctx.save();
        plot.ctx.fillStyle = colour("--shade");
        for (const [from, to] of spans) {
          const left = plot.valToPos(from, "x", true);
          const width = Math.max(1, plot.valToPos(to, "x", true) - left);
          plot.ctx.fillRect(left, plot.bbox.top, width, plot.bbox.height);
        }
        plot.ctx.restore();
      },
    },
  };
}

function options(chart, strip, width, isLast) {
  const text = unitOf(strip.unit);
  const lines = strip.lines.map((line) => ({ label: line.label, value: (_, value) => text(value), points: { show: false }, ...ROLES[line.role]() }));
  const low = strip.lines.findIndex((line) => line.role === "low");
  const high = strip.lines.findIndex((line) => line.role === "high");
  const axis = { stroke: colour("--ink-2"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width,
    height: HEIGHT + (isLast ? 24 : 0),
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), chart.zone),
    cursor: { sync: { key: CURSOR }, y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_, __, highest) => [0, strip.unit === "%" ? 1 : Math.max(highest || 0, 1e-9) * 1.08] } },
    series: [{ label: "time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" }, ...lines],
    bands: low >= 0 && high >= 0 ? [{ series: [high + 1, low + 1], fill: colour("--band") }] : [],
    axes: [
      { ...axis, show: isLast, size: isLast ? 24 : 0 },
      { ...axis, size: 64, values: (_, values) => values.map(text), space: 36 },
    ],
    legend: { live: true },
    plugins: [shading(chart.shaded)],
  };
}

function draw(figure) {
  const chart = JSON.parse(figure.dataset.chart);
  const canvas = figure.querySelector(".canvas");
  const width = Math.max(240, canvas.clientWidth);
  chart.strips.forEach((strip, place) => {
    const box = document.createElement("div");
    const name = document.createElement("p");
    name.className = "strip";
    name.textContent = strip.label;
    box.append(name);
    canvas.append(box);
    const values = [chart.x, ...strip.lines.map((line) => line.values)];
    drawn.push(new uPlot(options(chart, strip, width, place === chart.strips.length - 1), values, box));
  });
}

// Draw all charts anew: after the page came, changed, or got other colours or another width.
export function drawAll() {
  for (const plot of drawn) plot.destroy();
  drawn = [];
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    figure.querySelector(".canvas").replaceChildren();
    draw(figure);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
let planned = null;
addEventListener("resize", () => {
  clearTimeout(planned);
  planned = setTimeout(drawAll, 150);
});
