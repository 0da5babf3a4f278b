// Live: the server's beat tells how it is, and what changed is fetched and swapped in. Silence is shown, too.
import { drawAll } from "./charts.js";
import { START, clock, heard, isOld, judged } from "./freshness.js";

const AT_MOST_EVERY_MS = 5000;
const CHECK_EVERY_MS = 1000;
const FETCH_TIMEOUT_MS = 8000;
const SHAPES = {
  ok: "%3Ccircle cx='4' cy='4' r='3' fill='%231a7f4b'/%3E",
  degraded: "%3Cpath d='M4 1 7 7H1z' fill='%23a15c00'/%3E",
  broken: "%3Crect x='1' y='1' width='6' height='6' fill='%23d0423a'/%3E",
  blind: "%3Cpath d='M1 1h6v6H1zM3 3v2h2V3z' fill='%23d0423a' fill-rule='evenodd'/%3E",
};
const feed = document.getElementById("feed");
const openedAt = performance.now();
let state = START;
let planned = null;
let lastAt = 0;

function show() {
  const seen = judged(state, performance.now(), openedAt);
  document.body.classList.toggle("lost", seen.lost > 0);
  feed.textContent = seen.lost ? `connection lost ${clock(seen.lost)}` : state.beat ? "live" : "connecting";
  feed.className = seen.lost ? "off" : state.beat ? "on" : "";
  // a page that came after the last beat knows more than the beat
  const isNewer = seen.lost || (state.beat && state.beat.now >= Number(document.getElementById("live").dataset.asOf));
  if (seen.health && isNewer) say(seen.health, seen.headline);
  for (const section of document.querySelectorAll("[data-reads]")) {
    const age = seen.ages[section.dataset.reads];
    section.classList.toggle("old", isOld(age));
    if (age !== null) (section.querySelector(".age") ?? {}).textContent = isOld(age) ? `${clock(age)} old` : "";
  }
}

function say(health, text) {
  const headline = document.getElementById("headline");
  headline.textContent = text;
  headline.className = `status ${health}`;
  document.getElementById("live").dataset.health = health;
  document.title = `${health.toUpperCase()} \u00b7 ${document.body.dataset.title} \u00b7 AiRudder streams`;
  const icon = `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E${SHAPES[health]}%3C/svg%3E`;
  document.querySelector("link[rel=icon]").setAttribute("href", icon);
}

async function refresh() {
  planned = null;
  lastAt = performance.now();
  const here = location.pathname + location.search;
  const answer = await fetch(here, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const live = document.getElementById("live");
  if (isInUse(live)) return;
  const opened = new Set([...live.querySelectorAll("details[open][data-key]")].map((one) => one.dataset.key));
  const stood = focused(live);
  live.dataset.asOf = fresh.getElementById("live").dataset.asOf;
  live.replaceChildren(...fresh.getElementById("live").childNodes);
  for (const one of live.querySelectorAll("details[data-key]")) one.open = opened.has(one.dataset.key) || one.open;
  if (stood) live.querySelector(stood)?.focus({ preventScroll: true });
  drawAll();
  show();
}

// What somebody selects, types or points at in a chart stays as it is.
function isInUse(live) {
  if (live.querySelector(".canvas:hover")) return true;
  const selected = getSelection();
  const active = document.activeElement;
  return (live.contains(active) && active.matches("input, select, textarea")) || (!selected.isCollapsed && live.contains(selected.anchorNode));
}

// Where the keyboard stands, in words that find the same place on the new page.
function focused(live) {
  const active = document.activeElement;
  if (!live.contains(active)) return null;
  if (active.matches("summary")) return `details[data-key="${CSS.escape(active.parentElement.dataset.key)}"] > summary`;
  return active.matches("a[href]") ? `a[href="${CSS.escape(active.getAttribute("href"))}"]` : null;
}

function plan() {
  if (planned === null) {
    // what fails is planned again by the next event; until then the ages tell
    planned = setTimeout(() => refresh().catch(() => {}), Math.max(0, lastAt + AT_MOST_EVERY_MS - performance.now()));
  }
}

let events = null;

function listen() {
  events = new EventSource("/api/events");
  events.addEventListener("beat", (event) => {
    const before = state.beat && JSON.stringify(state.beat.health.problems);
    state = heard(state, JSON.parse(event.data), performance.now());
    if (before !== null && before !== JSON.stringify(state.beat.health.problems)) plan();
    show();
  });
  events.addEventListener("lag", plan);
  events.addEventListener("outcomes", plan);
}

function check() {
  // a browser gives up for good when it is answered with an error, as by a monitor that is just stopping
  if (events.readyState === EventSource.CLOSED) listen();
  show();
}

drawAll();
listen();
setInterval(check, CHECK_EVERY_MS);
