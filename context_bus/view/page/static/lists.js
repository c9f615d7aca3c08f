// Lists that grow at their end and are bounded: messages, lines of a log, events; and the table of the bus.

import { brief, clock, el } from "./dom.js";

/** Entries that a list keeps. */
const MOST = 1000;

export class Lines {
  /** A list in a box. */
  constructor(box, empty) {
    this.box = box; this.empty = empty; this.filter = ""; this.paused = false;
    this.clear();
  }

  clear() {
    this.box.replaceChildren(el("div", { class: "empty" }, this.empty));
    this.isEmpty = true;
  }

  /** Add entries at the end; who looks at the end goes on seeing the end. */
  add(entries) {
    if (!entries.length) return;
    const atEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 40;
    if (this.isEmpty) this.box.replaceChildren();
    this.isEmpty = false;
    for (const entry of entries.slice(-MOST)) entry.hidden = !this.isWanted(entry);
    this.box.append(...entries.slice(-MOST));
    while (this.box.childElementCount > MOST) this.box.firstElementChild.remove();
    if (atEnd) this.box.scrollTop = this.box.scrollHeight;
  }

  /** Go to the end. */
  settle() {
    this.box.scrollTop = this.box.scrollHeight;
  }

  isWanted(entry) {
    return !this.filter || entry.textContent.toLowerCase().includes(this.filter);
  }

  /** Show what holds a text. */
  only(text) {
    this.filter = text.toLowerCase();
    for (const entry of this.box.children) entry.hidden = !this.isWanted(entry);
    this.box.scrollTop = this.box.scrollHeight;
  }
}

export const gap = (count, what) => (count ? [el("div", { class: "gap" }, `… ${count} ${what} not shown`)] : []);

export function messageLine(message) {
  const who = [message.action, message.service, message.transaction].filter(Boolean).join(" · ");
  return el("div", {}, el("time", {}, clock(message.at)), el("b", {}, message.topic), el("span", { class: "muted" }, who ? `${who}  ` : ""), message.text);
}

export function eventLine(event) {
  return el("div", {}, el("time", {}, clock(event.at)), el("b", {}, event.service), `${event.what}  `, el("span", { class: "muted" }, event.text));
}

const BUS = [
  ["topic", "", (row) => row.topic], ["from", "", (row) => row.sender],
  ["msg/s", "number", (row) => brief(row.rate)], ["B/s", "number", (row) => brief(row.bytes)],
  ["messages", "number wide", (row) => brief(row.messages)],
  ["lost", "number", (row) => (row.lost ? brief(row.lost) : "")],
  ["p50", "number mid", (row) => delay(row.p50)], ["p99", "number mid", (row) => delay(row.p99)],
];

function delay(seconds) {
  if (seconds == null) return "";
  return seconds < 0.001 ? `${Math.round(seconds * 1e6)}µs` : seconds < 1 ? `${(seconds * 1e3).toFixed(1)}ms` : `${seconds.toFixed(1)}s`;
}

/** Show the topics of the bus; `pick` is told of one that is chosen. */
export function showBus(table, rows, pick) {
  table.tHead.replaceChildren(el("tr", {}, ...BUS.map(([title, kind]) => el("th", { class: kind }, title))));
  const lines = rows.map((row) => el("tr", { click: () => pick(row.topic), title: "show its messages" }, ...BUS.map(([, kind, text]) => el("td", { class: kind }, text(row)))));
  table.tBodies[0].replaceChildren(...(lines.length ? lines : [el("tr", {}, el("td", { class: "muted", colspan: BUS.length }, "no node reports yet"))]));
}
