// Elements and drawings. Text is always text: nothing here ever becomes markup.

/** An element. Text is always text: nothing here ever becomes markup. */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "disabled") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  put(element, children);
  return element;
}

/** Appends texts, elements and lists of them. */
export function put(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Puts new content in place of the old. */
export function fill(element, ...children) {
  element.replaceChildren();
  return put(element, children);
}

const SVG = "http://www.w3.org/2000/svg";

/** An element of a drawing. */
export function s(tag, props, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(props ?? {})) element.setAttribute(key, value);
  return put(element, children);
}

const ICONS = {
  home: "M3 11.5 12 4l9 7.5M6 10v9h12v-9",
  chip: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
  flash: "M13 3 5 14h6l-1 7 8-11h-6z",
  backups: "M4 7c0-2 16-2 16 0v10c0 2-16 2-16 0zM4 7c0 2 16 2 16 0M4 12c0 2 16 2 16 0",
  services: "M6 4h12v6H6zM6 14h12v6H6zM9 7h.01M9 17h.01",
  live: "M3 7h11v10H3zM14 11l7-4v10l-7-4",
  settings: "M4 7h9M17 7h3M4 12h3M11 12h9M4 17h11M19 17h1M13 5v4M7 10v4M15 15v4",
  log: "M5 5h14M5 10h14M5 15h9M5 20h6",
  card: "M7 3h7l4 4v14H7zM10 7v3M13 7v3",
  qr: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2z",
  camera: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4 4h16v16H4z",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  good: "m5 12.5 4.5 4.5L19 7.5",
  todo: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16",
  wait: "M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  look: "M12 8v5M12 16.5h.01M12 3 2.5 20h19z",
  bad: "M12 7v6M12 16.5h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  lock: "M7 11h10v9H7zM9 11V8a3 3 0 0 1 6 0v3",
  play: "M8 5v14l11-7z",
  stop: "M7 6h3v12H7zM14 6h3v12h-3z",
  sound: "M4 10v4h3l5 4V6l-5 4zM15 9c1.5 1.5 1.5 4.5 0 6M18 6.5c3 3 3 8 0 11",
  silent: "M4 10v4h3l5 4V6l-5 4zM16 10l4 4M20 10l-4 4",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  left: "m14 6-6 6 6 6",
  right: "m10 6 6 6-6 6",
  up: "m6 14 6-6 6 6",
  down: "m6 10 6 6 6-6",
  center: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 3v3M12 18v3M3 12h3M18 12h3",
  out: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
};

/** A line drawing that says nothing a word beside it does not say. */
export function icon(name) {
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    s("path", { d: ICONS[name] }));
}

/** Says something to who does not see it. */
export function say(text) {
  document.getElementById("said").textContent = text;
}
