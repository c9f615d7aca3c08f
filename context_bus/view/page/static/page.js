// What comes from the server goes to its place; what is chosen goes to the server. Nothing is loaded from elsewhere.

import { Chart, COLOURS } from "./chart.js";
import { $, el, family, mib, put, span } from "./dom.js";
import { Lines, eventLine, gap, messageLine, showBus } from "./lists.js";
import { Services, keyOf } from "./services.js";

/** Samples kept of a service, curves shown at once, seconds without news after which that is told, least size of the graph. */
const KEPT = 1800, CURVES = 8, SILENCE = 4, LEAST = 0.6;

const state = { at: 0, heard: 0, trouble: "", curves: new Map(), rows: [], picked: null, point: null, count: 120, topic: "", topics: [], paused: false, seen: 0, socket: null };

// -- theme -------------------------------------------------------------------------------------

const wished = () => localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
const dress = () => { document.documentElement.dataset.theme = wished(); };
dress();
$("theme").addEventListener("click", () => { localStorage.setItem("theme", wished() === "dark" ? "light" : "dark"); dress(); });

// -- parts -------------------------------------------------------------------------------------

const services = new Services($("services"), pick, (action, row) => say({ kind: "order", action, transaction: row.transaction, service: row.service }));
const log = new Lines($("log"), "Choose a service in the table or in the graph.");
const messages = new Lines($("messages"), "Choose a topic to see its messages.");
const events = new Lines($("events"), "Nothing has happened yet.");
const point = (at) => { state.point = at; showCharts(); };
const charts = { cpu: new Chart($("cpu"), "CPU, % of one core", (v) => String(+v.toFixed(1)), point), rss: new Chart($("rss"), "memory", (v) => mib(v) || "0", point) };

/** Show only services with a text in them; the same again shows all. */
function only(text) {
  $("filter").value = services.filter = services.filter === text ? "" : text;
  services.arrange(); showCount();
}
$("filter").addEventListener("input", (event) => { services.filter = event.target.value; services.arrange(); showCount(); });
for (const card of document.querySelectorAll("section")) {
  const larger = el("button", { type: "button", class: "larger", title: "larger", "aria-label": "larger", click: () => { card.classList.toggle("large"); } }, "⤢");
  card.querySelector("h2").append(larger);
}
addEventListener("keydown", ({ key }) => { if (key === "Escape") document.querySelector("section.large")?.classList.remove("large"); });
$("log-filter").addEventListener("input", (event) => log.only(event.target.value));
$("log-pause").addEventListener("click", (event) => {
  log.paused = !log.paused;
  event.target.setAttribute("aria-pressed", log.paused);
  if (state.picked) follow(log.paused ? null : state.picked);
});

function tab(name) {
  for (const button of $("tabs").children) button.setAttribute("aria-selected", button.dataset.tab === name);
  for (const each of ["messages", "events", "bus"]) $(each).hidden = each !== name;
  $("tools").hidden = name !== "messages";
  if (name === "events") events.settle();
}
$("tabs").append(...["messages", "events", "bus"].map((name) => el("button", { type: "button", role: "tab", "data-tab": name, click: () => tab(name) }, name)));
const topics = el("input", { type: "search", id: "topic", list: "topics", placeholder: "topic, or *", "aria-label": "Topic", autocomplete: "off", spellcheck: "false", change: (event) => hear(event.target.value.trim()) });
const known = el("datalist", { id: "topics" });
const pause = el("button", { type: "button", id: "message-pause", "aria-pressed": "false", click: () => {
  state.paused = !state.paused;
  pause.setAttribute("aria-pressed", state.paused);
  say({ kind: "hear", topic: state.paused ? "" : state.topic });
} }, "pause");
const hold = el("input", { type: "search", placeholder: "filter", id: "message-filter", "aria-label": "Filter messages", autocomplete: "off", input: (event) => messages.only(event.target.value) });
$("tools").append(topics, known, hold, pause);
tab("messages");
for (const [label, count] of [["2 min", 120], ["10 min", 600], ["30 min", 1800]]) {
  $("span").append(el("button", { type: "button", "aria-selected": count === state.count, click: (event) => {
    state.count = count;
    for (const each of $("span").children) each.setAttribute("aria-selected", each === event.target);
    showCharts();
  } }, label));
}
$("graph").addEventListener("click", (event) => {
  const node = event.target.closest(".node");
  const row = node && state.rows.find((each) => stands(node, each));
  if (row) services.choose(keyOf(row));
});

// -- choices -----------------------------------------------------------------------------------

function pick(row) {
  state.picked = row;
  follow(row);
  markGraph();
  showCharts();
}

function follow(row) {
  if (!log.paused) { put($("logged"), row ? row.service : "choose a service"); log.clear(); }
  say(row ? { kind: "follow", transaction: row.transaction, service: row.service } : { kind: "follow" });
}

function hear(topic) {
  if (topic !== state.topic) messages.clear();
  state.topic = topic; state.paused = false; topics.value = topic;
  pause.setAttribute("aria-pressed", "false");
  say({ kind: "hear", topic });
}

// -- what comes --------------------------------------------------------------------------------

const take = {
  hello({ may_act }) {
    services.mayAct = may_act;
    $("readonly").hidden = may_act;
    document.body.dataset.connected = "yes";
  },
  snapshot(told) {
    state.at = told.at; state.heard = Date.now(); state.trouble = told.trouble; state.rows = told.services;
    if (!told.trouble) remember(told.services);
    services.show(told.services, state.curves);
    showHead(told); showCount(); showCharts(); showBanner();
    showBus($("bus").firstElementChild, told.bus, (topic) => { tab("messages"); hear(topic); });
    const names = [...new Set(told.bus.map((row) => row.topic))].sort();
    if (names.join() !== state.topics.join()) known.replaceChildren(...["*", ...(state.topics = names)].map((value) => el("option", { value })));
  },
  histories({ services: all }) {
    for (const each of all) {
      const kept = state.curves.get(keyOf(each));
      if (!kept || kept.cpu.length < each.cpu.length) state.curves.set(keyOf(each), { cpu: each.cpu, rss: each.rss });
    }
  },
  graph({ svg }) {
    const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
    $("graph").replaceChildren(svg ? document.importNode(parsed.documentElement, true) : "");
    fitGraph(); markGraph();
  },
  messages({ messages: some, left_out }) {
    if (!state.paused) messages.add([...gap(left_out, "messages"), ...some.map(messageLine)]);
  },
  log({ service, lines, is_new, left_out }) {
    if (log.paused) return;
    if (is_new) log.clear();
    if (is_new) log.empty = `${service} has written nothing yet.`;
    if (is_new) log.clear();
    log.add([...gap(left_out, "lines"), ...lines.map((line) => el("div", {}, line))]);
  },
  events({ events: some }) {
    const fresh = some.filter((each) => each.sequence > state.seen);
    if (fresh.length) state.seen = fresh.at(-1).sequence;
    events.add(fresh.map(eventLine));
  },
  outcome({ ok, text }) {
    const notice = el("div", { class: ok ? "good" : "bad" }, text);
    $("notices").append(notice);
    setTimeout(() => notice.remove(), ok ? 4000 : 12000);
  },
};

function remember(rows) {
  const keys = new Set(rows.map(keyOf));
  for (const key of state.curves.keys()) if (!keys.has(key)) state.curves.delete(key);
  for (const row of rows) {
    const key = keyOf(row);
    if (!state.curves.has(key)) state.curves.set(key, { cpu: [], rss: [] });
    const curve = state.curves.get(key);
    if (state.at - (curve.at ?? 0) < 0.9) continue; // a look between two samples
    curve.at = state.at;
    for (const [values, value] of [[curve.cpu, row.cpu], [curve.rss, row.rss]]) if (values.push(value) > KEPT) values.shift();
  }
}

// -- what is shown -----------------------------------------------------------------------------

function showHead({ provider, at, services: rows, trouble }) {
  put($("context"), provider.name || "context_bus");
  document.title = `${provider.name || "context_bus"}`;
  put($("provider"), provider.pid && !trouble ? `provider ${provider.pid} · up ${span(at - provider.started_at)}` : "");
  const counts = new Map();
  for (const row of rows) counts.set(row.state, (counts.get(row.state) ?? 0) + 1);
  $("counts").replaceChildren(...[...counts].sort().map(([name, count]) => el("button", { type: "button", class: `count ${family(name)}`, title: "show only these", click: () => only(name) }, el("span", { class: "dot" }), `${count} ${name}`)));
}

function showCount() {
  const count = state.rows.length;
  put($("shown"), services.shown === count ? String(count || "none yet") : `${services.shown} of ${count}`);
}

function showBanner() {
  const silent = state.heard && Date.now() - state.heard > SILENCE * 1000;
  const text = !state.socket ? "The dashboard has ended or cannot be reached; trying again." : state.trouble ? `The provider does not answer: ${state.trouble}` : silent ? "No news of the provider; it may be busy." : "";
  put($("banner"), text);
  $("banner").hidden = !text;
  document.body.classList.toggle("stale", Boolean(text));
}

function showCharts() {
  const last = (row, what) => state.curves.get(keyOf(row))?.[what].at(-1) ?? 0;
  const chosen = state.picked ? state.rows.filter((row) => keyOf(row) === keyOf(state.picked)) : state.rows.filter((row) => row.pid);
  const shown = chosen.length <= CURVES ? chosen : [...chosen].sort((one, other) => last(other, "cpu") - last(one, "cpu") || last(other, "rss") - last(one, "rss")).slice(0, CURVES);
  put($("charted"), state.picked ? `of ${state.picked.service}` : chosen.length > shown.length ? `of the ${shown.length} busiest` : "");
  // A service keeps its colour by its place in the table.
  const colour = (row) => COLOURS[state.rows.findIndex((each) => keyOf(each) === keyOf(row)) % COLOURS.length];
  for (const what of ["cpu", "rss"]) {
    charts[what].show(shown.map((row) => ({ values: state.curves.get(keyOf(row))?.[what] ?? [], colour: colour(row) })), state.count, state.point);
  }
  const value = (row, what) => state.curves.get(keyOf(row))?.[what].at(-1 - (state.point ?? 0)) ?? 0;
  $("legend").replaceChildren(...shown.map((row) => {
    const sign = el("i"); sign.style.background = colour(row);
    return el("span", {}, sign, `${row.service} ${value(row, "cpu").toFixed(1)} % ${mib(value(row, "rss"))}`);
  }));
}

/** Whether a node of the graph stands for a service; a node stands for all instances. */
function stands(node, row) {
  return [row.service, row.service.replace(/#\d+$/, "")].includes(node.dataset.service) && ["", row.transaction].includes(node.dataset.transaction);
}

function markGraph() {
  for (const node of $("graph").querySelectorAll(".node")) node.classList.toggle("picked", Boolean(state.picked) && stands(node, state.picked));
}

/** Make the graph fit its place, but not so small that it cannot be read; then one can scroll. */
function fitGraph() {
  const svg = $("graph").querySelector("svg");
  if (!svg) return;
  const { width, height } = svg.viewBox.baseVal;
  const scale = Math.min(1, Math.max(LEAST, Math.min(($("graph").clientWidth - 10) / width, ($("graph").clientHeight - 10) / height)));
  svg.setAttribute("width", Math.floor(width * scale));
  svg.setAttribute("height", Math.floor(height * scale));
}
new ResizeObserver(fitGraph).observe($("graph"));

// -- the socket --------------------------------------------------------------------------------

function say(words) {
  if (state.socket?.readyState === WebSocket.OPEN) state.socket.send(JSON.stringify(words));
}

let pauseBefore = 300;
function connect() {
  const socket = new WebSocket(`ws://${location.host}/socket`);
  socket.addEventListener("open", () => {
    pauseBefore = 300; state.socket = socket; state.heard = Date.now();
    if (state.topic && !state.paused) say({ kind: "hear", topic: state.topic });
    if (state.picked) follow(state.picked);
    showBanner();
  });
  socket.addEventListener("message", ({ data }) => { const told = JSON.parse(data); take[told.kind]?.(told); });
  socket.addEventListener("close", () => {
    state.socket = null; document.body.dataset.connected = "no";
    showBanner();
    setTimeout(connect, pauseBefore);
    pauseBefore = Math.min(3000, pauseBefore * 2);
  });
}
connect();
setInterval(showBanner, 1000);
