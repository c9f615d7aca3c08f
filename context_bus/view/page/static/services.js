// The table of services: rows stay the same elements, so a button does not vanish under the pointer.

import { spark } from "./chart.js";
import { brief, draw, el, family, mib, put, span } from "./dom.js";

/** Seconds in which a stop or a restart has to be said again. */
const SURE = 3;
const ACTS = [["start", "▶"], ["stop", "■"], ["restart", "↻"]];
const UP = ["starting", "created", "warming", "started", "updated", "stopping", "ending"];

/** Title, class, what it is sorted by, what it shows. */
const COLUMNS = [
  ["state", "", (row) => row.state],
  ["service", "", (row) => row.service],
  ["transaction", "mid transaction", (row) => row.transaction, (row) => row.transaction],
  ["pid", "number mid", (row) => row.pid ?? 0, (row) => (row.pid ? String(row.pid) : "")],
  ["up", "number mid", (row) => row.up ?? -1, (row) => span(row.up)],
  ["starts", "number mid", (row) => row.starts, (row) => String(row.starts || "")],
  ["CPU %", "number", (row) => row.cpu],
  ["memory", "number", (row) => row.rss],
  ["threads", "number wide", (row) => row.threads, (row) => String(row.threads || "")],
  ["files", "number wide", (row) => row.descriptors, (row) => String(row.descriptors || "")],
  ["out/s", "number mid", (row) => row.sent, (row) => (row.sent ? brief(row.sent) : "")],
  ["in/s", "number wide", (row) => row.received, (row) => (row.received ? brief(row.received) : "")],
  ["last error", "note", (row) => row.error],
];

export const keyOf = (row) => `${row.transaction}\n${row.service}`;

export class Services {
  /** The table; `pick` is told of a row that is chosen, `order` of an action. */
  constructor(table, pick, order) {
    this.head = table.tHead; this.body = table.tBodies[0];
    this.pick = pick; this.order = order;
    this.lines = new Map(); this.rows = []; this.mayAct = false;
    this.sorted = null; this.down = false; this.filter = ""; this.picked = null;
    const cells = COLUMNS.map(([title, kind], place) => el("th", { class: kind, "aria-sort": "none", click: () => this.sort(place) }, title));
    this.head.replaceChildren(el("tr", {}, ...cells, el("th", {})));
  }

  sort(place) {
    this.down = this.sorted === place ? !this.down : [6, 7, 10, 11].includes(place);
    this.sorted = place;
    [...this.head.rows[0].cells].slice(0, -1).forEach((cell, each) =>
      cell.setAttribute("aria-sort", each === place ? (this.down ? "descending" : "ascending") : "none"));
    this.arrange();
  }

  /** Show rows with their curves. */
  show(rows, curves) {
    this.rows = rows;
    const known = new Set(rows.map(keyOf));
    for (const [key, line] of this.lines) if (!known.has(key)) { line.row.remove(); this.lines.delete(key); }
    for (const row of rows) {
      const key = keyOf(row);
      if (!this.lines.has(key)) this.lines.set(key, this.line(key));
      this.fill(this.lines.get(key), row, curves.get(key));
    }
    const several = new Set(rows.map((row) => row.transaction)).size > 1;
    this.body.parentElement.classList.toggle("single", !several);
    for (const cell of document.querySelectorAll("#services .transaction")) cell.hidden = !several;
    this.arrange();
  }

  line(key) {
    const cells = COLUMNS.map(([, kind]) => el("td", { class: kind }));
    const [state, service] = cells;
    state.append(el("span", { class: "dot" }), el("span"));
    service.append(el("span"), el("span", { class: "name" }));
    for (const place of [6, 7]) {
      const curve = draw("svg", { class: "spark wide", viewBox: "0 0 56 15", preserveAspectRatio: "none" }, draw("path", {}));
      cells[place].append(curve, el("span"));
    }
    const buttons = ACTS.map(([action, sign]) => this.button(key, action, sign));
    const row = el("tr", { click: () => this.choose(key) }, ...cells, el("td", { class: "acts" }, ...buttons));
    return { row, cells, buttons };
  }

  button(key, action, sign) {
    let timer = null;
    const calm = () => { clearTimeout(timer); timer = null; made.classList.remove("sure"); put(made, sign); };
    const made = el("button", { type: "button", title: action, click: (event) => {
      event.stopPropagation();
      const row = this.lines.get(key).data;
      // What has failed is started by a restart: a provider refuses a plain start of it.
      if (action === "start") { this.order(family(row.state) === "broken" ? "restart" : "start", row); return; }
      if (timer) { calm(); this.order(action, row); return; }
      made.classList.add("sure"); put(made, "sure?");
      timer = setTimeout(calm, SURE * 1000);
    } }, sign);
    return made;
  }

  fill(line, row, curve) {
    line.data = row;
    const [state, service] = line.cells, look = family(row.state);
    line.row.dataset.service = row.service; line.row.dataset.state = row.state;
    state.className = look; put(state.lastChild, row.state);
    put(service.firstChild, row.service); put(service.lastChild, row.name === row.service ? "" : row.name);
    COLUMNS.forEach(([, , , text], place) => { if (text) put(line.cells[place], text(row)); });
    put(line.cells[6].lastChild, row.pid ? row.cpu.toFixed(1) : "");
    put(line.cells[7].lastChild, mib(row.rss));
    if (curve) [curve.cpu, curve.rss].forEach((values, at) => line.cells[6 + at].firstChild.firstChild.setAttribute("d", values.length > 1 ? spark(values) : "M0 0"));
    put(line.cells[12], row.error); line.cells[12].title = row.error;
    const isUp = UP.includes(row.state);
    line.buttons.forEach((button, at) => {
      const able = [!isUp || row.state === "created", isUp || ["backoff", "waiting"].includes(row.state), true][at];
      button.disabled = !this.mayAct || !able;
      button.setAttribute("aria-label", `${ACTS[at][0]} ${row.service}`);
      button.title = this.mayAct ? ACTS[at][0] : "read-only";
    });
  }

  choose(key) {
    this.picked = this.picked === key ? null : key;
    this.mark();
    this.pick(this.picked === null ? null : this.lines.get(key).data);
  }

  mark() {
    for (const [key, line] of this.lines) line.row.classList.toggle("picked", key === this.picked);
  }

  /** Order and filter the rows. */
  arrange() {
    let rows = [...this.rows];
    if (this.sorted !== null) {
      const by = COLUMNS[this.sorted][2], turn = this.down ? -1 : 1;
      rows.sort((one, other) => (by(one) < by(other) ? -turn : by(one) > by(other) ? turn : 0));
    }
    const wanted = this.filter.toLowerCase();
    let shown = 0;
    rows.forEach((row, place) => {
      const { row: line } = this.lines.get(keyOf(row));
      line.hidden = wanted && ![row.service, row.name, row.state, row.error].some((text) => text.toLowerCase().includes(wanted));
      shown += line.hidden ? 0 : 1;
      if (this.body.children[place] !== line) this.body.insertBefore(line, this.body.children[place] ?? null);
    });
    this.mark();
    this.shown = shown;
  }
}
