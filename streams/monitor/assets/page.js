// Live: when the server says that something changed, fetch the page again and swap in its tables.
const AT_MOST_EVERY_MS = 2000;
const feed = document.getElementById("feed");
let planned = null;
let lastAt = 0;

function say(text, on) {
  feed.textContent = text;
  feed.className = on ? "on" : "off";
}

async function refresh() {
  planned = null;
  lastAt = Date.now();
  const answer = await fetch("/", { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById("live").replaceChildren(...fresh.getElementById("live").childNodes);
}

function plan() {
  if (planned === null) {
    planned = setTimeout(() => refresh().catch(() => say("not live", false)), Math.max(0, lastAt + AT_MOST_EVERY_MS - Date.now()));
  }
}

const events = new EventSource("/api/events");
events.addEventListener("open", () => say("live", true));
events.addEventListener("error", () => say("not live, trying again", false));
events.addEventListener("lag", plan);
events.addEventListener("outcomes", plan);
