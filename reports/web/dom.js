// Elements made of text alone: nothing of a run is ever read as markup.

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function drawn(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

let lastId = 0;

function chooser(label, names, chosen) {
  const id = `choose-${++lastId}`;
  const select = element("select", { id }, ...names.map((name, at) => element("option", { value: at }, name)));
  select.addEventListener("change", () => chosen(Number(select.value)));
  return { field: element("span", { class: "field" }, element("label", { for: id }, label), select), select };
}

function listing(lines, kind) {
  return element("ul", { class: kind }, ...lines.map((line) => element("li", { dir: "auto" }, line)));
}

const COLOURS = 8;
const colour = (at) => `var(--c${Math.min(at, COLOURS - 1)})`;
const count = (number) => number.toLocaleString("en");
const score = (number) => number.toFixed(3);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function figuresOf(number) {
  if (number >= 99.95) return Math.round(number).toLocaleString("en");
  return number >= 0.001 ? number.toPrecision(3) : number.toExponential(1);
}

// Draws now and whenever its width changes; `draw` gets the width in pixels and returns a node.
function drawing(draw) {
  const place = element("div", { class: "drawing" });
  let width = 0;
  const redraw = () => {
    if (width) place.replaceChildren(draw(width));
  };
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now && now !== width) {
      width = now;
      redraw();
    }
  }).observe(place);
  return { place, redraw };
}

function legend(entries) {
  const symbol = (entry) =>
    drawn(
      "svg",
      { viewBox: "0 0 16 12", "aria-hidden": "true" },
      entry.line
        ? drawn("line", {
            x1: 0,
            x2: 16,
            y1: 6,
            y2: 6,
            "stroke-width": 2,
            stroke: entry.colour,
            "stroke-dasharray": entry.dash ?? "none",
          })
        : entry.cross
          ? drawn("path", { d: "M4,2l8,8M12,2l-8,8", "stroke-width": 2, stroke: entry.colour })
          : drawn("circle", { cx: 8, cy: 6, r: 4.5, fill: entry.colour }),
    );
  return element(
    "ul",
    { class: "legend" },
    ...entries.map((entry) => element("li", {}, symbol(entry), element("bdi", {}, entry.name))),
  );
}
