// The leaderboard: the table, its filters, and what is seen of it, which the plots follow.

function leaderboard(task, changed, look) {
  const { columns, shown, values } = task.table;
  const at = Object.fromEntries(columns.map((column, position) => [column.key, position]));
  const rows = shown.map((cells, key) => ({ shown: cells, values: values[key], key }));
  const engines = [...new Set(rows.map((row) => row.shown[at.engine]))].filter((name) => name !== "-").sort();
  const styled = columns.map((column, position) => ({ ...column, cell: boardCell(task, column.key, position, look) }));
  const table = sortableTable(say("{rows} rows, one a classifier and engine", { rows: count(rows.length) }), styled, rows, changed);
  const seen = element("output", {}, "");
  let kept = new Set(table.order());

  const controls = boardFilters(engines, (filters) => {
    const matches = boardMatcher(task, filters, at.engine);
    kept = new Set(rows.filter(matches).map((row) => row.key));
    table.show(kept);
    seen.textContent = kept.size === rows.length ? "" : say("{kept} of {all} rows", { kept: count(kept.size), all: count(rows.length) });
    changed();
  });

  return {
    node: element("div", {}, element("div", { class: "controls" }, ...controls, seen), table.scroll),
    rows: () => table.order().filter((row) => kept.has(row)),
    name: (row) => `${shown[row][at.classifier]} · ${shown[row][at.engine]}`,
    shown: (row, name) => shown[row][at[name]],
    select: (row) => table.lines.forEach((line, key) => line.setAttribute("aria-selected", key === row)),
    engines,
  };
}

const ROW_CHOICES = [say("all"), say("on a Pareto line"), say("that keep their answers")];

// The controls; `changed` gets {words, engine, rows}, engine null for all and rows a place in ROW_CHOICES.
function boardFilters(engines, changed) {
  const filters = { words: [], engine: null, rows: 0 };
  const set = (name, value) => {
    filters[name] = value;
    changed(filters);
  };
  const placeholder = say("classifier, method ...");
  const search = element("input", { type: "search", placeholder, "aria-label": say("filter the rows") });
  search.addEventListener("input", () => set("words", search.value.toLowerCase().split(/\s+/).filter(Boolean)));
  const engine = chooser(say("engine"), [say("all"), ...engines], (chosen) =>
    set("engine", chosen ? engines[chosen - 1] : null),
  );
  const rows = chooser(say("rows"), ROW_CHOICES, (chosen) => set("rows", chosen));
  return [search, engine.field, rows.field];
}

function boardMatcher(task, filters, engineColumn) {
  const onLine = new Set(Object.values(task.points.fronts).flat());
  return (row) => {
    const text = `${row.shown.join(" ")} ${task.table.reasons[row.key]}`.toLowerCase();
    if (filters.engine !== null && row.shown[engineColumn] !== filters.engine) return false;
    if (filters.rows === 1 && !onLine.has(row.key)) return false;
    if (filters.rows === 2 && !task.points.kept[row.key]) return false;
    return filters.words.every((word) => text.includes(word));
  };
}

// How a column's cells are shown where text alone is not enough.
function boardCell(task, column, position, look) {
  const marked = (text, row) =>
    task.table.warned[row.key].includes(position) ? element("span", { class: "bad" }, text) : text;
  if (column === "classifier") return (text, row) => [lookButton(text, () => look(row.key))];
  if (column === "macro F1") return (text, row) => [text, intervalMark(task, row.key)];
  if (column === "status") return (text, row) => [marked(text, row), reasonMark(task.table.reasons[row.key])];
  return (text, row) => [marked(text, row)];
}

function lookButton(text, onclick) {
  const attributes = { type: "button", class: "link", title: say("look into this row"), onclick };
  return element("button", attributes, element("bdi", {}, text));
}

function reasonMark(reason) {
  return reason ? element("span", { class: "reason" }, reason) : null;
}

// The interval of a row's macro F1 on the scale of the whole table.
function intervalMark(task, row) {
  const all = task.points.quality["macro F1"];
  const figure = all[row];
  if (!figure) return null;
  task.span ??= [
    Math.min(...all.filter(Boolean).map((each) => each[1])),
    Math.max(...all.filter(Boolean).map((each) => each[2])),
  ];
  const [low, high] = task.span;
  const x = (value) => 3 + (82 * (value - low)) / (high - low || 1);
  return drawn(
    "svg",
    { class: "interval", viewBox: "0 0 88 10", "aria-hidden": "true" },
    drawn("line", { x1: 0, x2: 88, y1: 5, y2: 5, stroke: "var(--line)" }),
    drawn("line", {
      x1: x(figure[1]),
      x2: x(figure[2]),
      y1: 5,
      y2: 5,
      stroke: "var(--c0)",
      "stroke-width": 3,
      "stroke-opacity": 0.6,
    }),
    drawn("circle", { cx: x(figure[0]), cy: 5, r: 2.5, fill: "var(--c0)" }),
  );
}
