// One table for everything: sorted by its headings, filtered by whoever owns it.

// columns: {name, unit, numeric, high, explained, wide, cell}; rows: {shown, values, key}. `values` are what numbers
// are sorted by, missing ones always last; `cell(text, row)` may return nodes instead of the text.
function sortableTable(label, columns, rows, sorted) {
  const body = element("tbody", {});
  const headings = columns.map((column, at) => heading(column, () => sortBy(at)));
  const table = element(
    "table",
    { class: "cards" },
    element("caption", {}, label),
    element("thead", {}, element("tr", {}, ...headings)),
    body,
  );
  const scroll = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);
  let order = rows.map((_, at) => at);
  const lines = rows.map((row) => element("tr", {}, ...columns.map((column, at) => cellOf(column, row, at))));
  body.append(...lines);

  function sortBy(at) {
    const before = headings[at].getAttribute("aria-sort");
    const falling = before ? before === "ascending" : Boolean(columns[at].high);
    headings.forEach((each) => each.removeAttribute("aria-sort"));
    headings[at].setAttribute("aria-sort", falling ? "descending" : "ascending");
    order = sortedOrder(rows, columns[at].numeric, at, falling);
    body.append(...order.map((row) => lines[row]));
    sorted?.();
  }

  return {
    scroll,
    lines,
    order: () => order,
    show: (kept) => lines.forEach((line, at) => (line.hidden = !kept.has(at))),
  };
}

function heading(column, sort) {
  const button = element("button", { type: "button", onclick: sort, title: column.explained }, column.name);
  if (column.unit) button.append(" ", element("span", { class: "unit" }, column.unit));
  return element("th", { scope: "col", class: column.numeric ? "number" : null }, button);
}

function cellOf(column, row, at) {
  const text = row.shown[at];
  const content = column.cell ? column.cell(text, row) : [text];
  const kinds = [column.numeric && "number", column.wide && "wide"].filter(Boolean).join(" ");
  const label = column.unit ? `${column.name} (${column.unit})` : column.name;
  return element("td", { class: kinds || null, dir: column.numeric ? null : "auto", "data-label": label }, ...content);
}

function sortedOrder(rows, numeric, at, falling) {
  const sign = falling ? -1 : 1;
  const words = new Intl.Collator(undefined, { numeric: true });
  const key = (row) => (numeric ? row.values[at] : row.shown[at]) ?? null;
  return rows
    .map((_, position) => position)
    .sort((first, second) => {
      const [a, b] = [key(rows[first]), key(rows[second])];
      if (a === null || b === null) return (a === null) - (b === null) || first - second;
      return sign * (numeric ? a - b : words.compare(a, b)) || first - second;
    });
}
