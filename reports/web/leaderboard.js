// The leaderboard: the table, its filters, and what is seen of it, which the plots follow.

function leaderboard(task, changed, look) {
  const { columns, shown, values, reasons } = task.table;
  const at = Object.fromEntries(columns.map((column, position) => [column.name, position]));
  const rows = shown.map((cells, key) => ({ shown: cells, values: values[key], key }));
  const onLine = new Set(Object.values(task.points.fronts).flat());
  const styled = columns.map((column) => ({ ...column, cell: special(column.name) }));
  const table = sortableTable(`${count(rows.length)} rows, one a classifier and engine`, styled, rows, changed);
  const filters = { words: "", engine: null, only: 0 };
  const seen = element("output", {}, "");
  let kept = new Set(table.order());

  function special(name) {
    if (name === "classifier") return (text, row) => [lookButton(text, row)];
    if (name === "macro F1") return (text, row) => [text, intervalMark(task, row.key)];
    if (name === "answers") return (text) => [element("span", { class: text === "same" ? null : "bad" }, text)];
    if (name === "status") return (text, row) => [statusMark(text, reasons[row.key])];
    return (text) => [/^(INVALID|UNSTABLE)$/.test(text) ? element("span", { class: "bad" }, text) : text];
  }

  function lookButton(text, row) {
    const button = element("button", { type: "button", class: "link", title: "look into this row" }, element("bdi", {}, text));
    button.addEventListener("click", () => look(row.key));
    return button;
  }

  function filter() {
    const words = filters.words.toLowerCase().split(/\s+/).filter(Boolean);
    kept = new Set(
      rows
        .filter((row) => {
          const text = `${row.shown.join(" ")} ${reasons[row.key]}`.toLowerCase();
          if (filters.engine !== null && row.shown[at.engine] !== filters.engine) return false;
          if (filters.only === 1 && !onLine.has(row.key)) return false;
          if (filters.only === 2 && !task.points.kept[row.key]) return false;
          return words.every((word) => text.includes(word));
        })
        .map((row) => row.key),
    );
    table.show(kept);
    seen.textContent = kept.size === rows.length ? "" : `${count(kept.size)} of ${count(rows.length)} rows`;
    changed();
  }

  const engines = [...new Set(rows.map((row) => row.shown[at.engine]))].sort();
  const search = element("input", { type: "search", placeholder: "classifier, method ...", "aria-label": "filter the rows" });
  search.addEventListener("input", () => {
    filters.words = search.value;
    filter();
  });
  const engine = chooser("engine", ["all", ...engines], (chosen) => {
    filters.engine = chosen ? engines[chosen - 1] : null;
    filter();
  });
  const only = chooser("rows", ["all", "on a Pareto line", "that keep their answers"], (chosen) => {
    filters.only = chosen;
    filter();
  });
  const controls = element("div", { class: "controls" }, search, engine.field, only.field, seen);

  return {
    node: element("div", {}, controls, table.scroll),
    rows: () => table.order().filter((row) => kept.has(row)),
    name: (row) => `${shown[row][at.classifier]} · ${shown[row][at.engine]}`,
    shown: (row, name) => shown[row][at[name]],
    select: (row) => table.lines.forEach((line, key) => line.setAttribute("aria-selected", key === row)),
    engines,
    reasons,
  };
}

function statusMark(text, reason) {
  if (text === "OK") return text;
  return element("span", {}, element("span", { class: "bad" }, text), reason ? element("span", { class: "reason" }, reason) : null);
}

// The interval of a row's macro F1 on the scale of the whole table.
function intervalMark(task, row) {
  const all = task.points.quality["macro F1"];
  const figure = all[row];
  if (!figure) return null;
  task.span ??= [Math.min(...all.filter(Boolean).map((each) => each[1])), Math.max(...all.filter(Boolean).map((each) => each[2]))];
  const [low, high] = task.span;
  const x = (value) => 3 + (82 * (value - low)) / (high - low || 1);
  return drawn("svg", { class: "interval", viewBox: "0 0 88 10", "aria-hidden": "true" },
    drawn("line", { x1: 0, x2: 88, y1: 5, y2: 5, stroke: "var(--line)" }),
    drawn("line", { x1: x(figure[1]), x2: x(figure[2]), y1: 5, y2: 5, stroke: "var(--c0)", "stroke-width": 3, "stroke-opacity": 0.6 }),
    drawn("circle", { cx: x(figure[0]), cy: 5, r: 2.5, fill: "var(--c0)" }));
}
