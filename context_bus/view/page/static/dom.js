// Elements and figures. Text is always set as text, so nothing that a service says becomes markup.

export const $ = (id) => document.getElementById(id);

/** An element with attributes (functions are listeners) and children (strings are text). */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true && !key.startsWith("aria-")) made.setAttribute(key, "");
    else if ((value !== false || key.startsWith("aria-")) && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** An element of SVG. */
export function draw(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Set text only if it changed: the browser then has nothing to do. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const FAMILIES = {
  running: ["started"], reporting: ["updated"], stopped: ["stopped"], retrying: ["backoff"], broken: ["failed", "fatal"],
  coming: ["waiting", "starting", "warming", "created", "stopping", "ending"],
};

/** The family of states whose colour a state has; the same as in view/palette.py. */
export function family(state) {
  return Object.keys(FAMILIES).find((name) => FAMILIES[name].includes(state)) ?? "idle";
}

/** Seconds in their two largest units. */
export function span(seconds) {
  if (seconds == null) return "";
  const whole = Math.max(0, Math.floor(seconds));
  for (const [size, unit, small, name] of [[86400, "d", 3600, "h"], [3600, "h", 60, "m"], [60, "m", 1, "s"]]) {
    if (whole >= size) return `${Math.floor(whole / size)}${unit}${String(Math.floor((whole % size) / small)).padStart(2, "0")}${name}`;
  }
  return `${whole}s`;
}

/** A figure on little space: 0.4, 12, 3.4k. */
export function brief(value) {
  if (value == null) return "";
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size) return (value / size).toFixed(value < 10 * size ? 1 : 0) + unit;
  }
  return value && value < 10 ? value.toFixed(1) : String(Math.round(value));
}

/** MiB on little space. */
export function mib(value) {
  return value >= 1024 ? `${(value / 1024).toFixed(1)}G` : value ? `${value.toFixed(value < 10 ? 1 : 0)}M` : "";
}

/** Seconds since the epoch as a time of day. */
export function clock(at) {
  const when = new Date(at * 1000);
  return when.toTimeString().slice(0, 8) + "." + String(when.getMilliseconds()).padStart(3, "0");
}
