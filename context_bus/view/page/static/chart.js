// Curves over time, drawn anew at each sample; pointing at one tells the figures of that moment.

import { draw } from "./dom.js";

export const COLOURS = ["#2B9FD9", "#EE9A10", "#009E73", "#C979B0", "#7F7FD5", "#A39100", "#C83A1E", "#59A5A5"];
const LEFT = 38, RIGHT = 6, TOP = 14, BOTTOM = 15;

export class Chart {
  /** A chart in a box; `format` writes a figure, `point` is told at which sample (from the end) one points, or null. */
  constructor(box, title, format, point) {
    this.box = box; this.title = title; this.format = format; this.at = null;
    box.addEventListener("pointermove", (event) => point(this.index(event)));
    box.addEventListener("pointerleave", () => point(null));
    new ResizeObserver(() => this.render()).observe(box);
    this.curves = []; this.count = 120;
  }

  /** Show curves `{values, colour}`, the newest value last, of the last `count` samples. */
  show(curves, count, at) {
    this.curves = curves; this.count = count; this.at = at;
    this.render();
  }

  index(event) {
    const width = this.box.clientWidth - LEFT - RIGHT;
    const back = Math.round(((this.box.clientWidth - RIGHT - (event.clientX - this.box.getBoundingClientRect().left)) / width) * (this.count - 1));
    return back >= 0 && back < this.count ? back : null;
  }

  render() {
    const width = this.box.clientWidth, height = this.box.clientHeight;
    if (width < 60 || height < 30) return;
    const shown = this.curves.map((curve) => ({ ...curve, values: curve.values.slice(-this.count) }));
    const top = ceiling(Math.max(1, ...shown.flatMap((curve) => curve.values)));
    const x = (back) => width - RIGHT - (back * (width - LEFT - RIGHT)) / (this.count - 1);
    const y = (value) => height - BOTTOM - (value / top) * (height - TOP - BOTTOM);
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      parts.push(draw("path", { class: "grid", d: `M${LEFT} ${y(top * share).toFixed(1)}H${width - RIGHT}` }));
      parts.push(draw("text", { x: LEFT - 5, y: y(top * share) + 3.5, "text-anchor": "end" }, this.format(top * share)));
    }
    parts.push(draw("text", { x: LEFT, y: 9 }, this.title));
    for (const [back, label] of [[this.count - 1, this.count > 120 ? `-${Math.round(this.count / 60)} min` : `-${this.count} s`], [0, "now"]]) {
      parts.push(draw("text", { x: x(back), y: height - 3, "text-anchor": back ? "start" : "end" }, label));
    }
    for (const { values, colour } of shown) {
      const points = values.map((value, place) => `${x(values.length - 1 - place).toFixed(1)} ${y(value).toFixed(1)}`);
      if (points.length) parts.push(draw("path", { class: "curve", stroke: colour, d: `M${points.join("L")}` }));
    }
    if (this.at != null) parts.push(draw("path", { class: "cross", d: `M${x(this.at)} ${TOP}V${height - BOTTOM}` }));
    this.box.replaceChildren(draw("svg", {}, ...parts));
  }
}

/** The next round number: 1, 2, 5, 10... */
function ceiling(value) {
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * size).find((step) => step >= value * 1.02) ?? 20 * size;
}

/** A curve without axes. */
export function spark(values) {
  const shown = values.slice(-60), top = Math.max(1, ...shown);
  const points = shown.map((value, place) => `${(56 - (shown.length - 1 - place) * (56 / 59)).toFixed(1)} ${(14 - (value / top) * 13).toFixed(1)}`);
  return `M${points.join("L")}`;
}
