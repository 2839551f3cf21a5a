// Methods over all suites: mean rank with its interval, the critical difference, groups that are not told apart.

function acrossSection(across, id) {
  const { title, columns, rows, notes } = across.table;
  const lines = rows.map((cells) => ({ shown: cells, values: cells.map(leadingNumber) }));
  const view = drawing((width) => rankChart(width, across));
  return element(
    "section",
    { id, "aria-label": title },
    element("h2", {}, title),
    element("figure", {}, view.place, element("figcaption", {}, across.caption)),
    sortableTable(title, columns, lines).scroll,
    listing(notes, "facts"),
  );
}

function rankChart(width, { methods, groups, difference }) {
  const last = methods.length;
  const names = methods.map((method) => method.name);
  const bars = groups.map((group, at) => ({
    from: group[0],
    to: group[group.length - 1],
    x: last + 0.15 + 0.12 * at,
  }));
  return Plot.plot({
    className: "plot",
    width,
    height: 90 + 26 * last,
    marginLeft: Math.min(220, width * 0.35),
    marginTop: 30,
    marginBottom: 40,
    ariaLabel: say("mean rank"),
    x: { domain: [1, last + 0.2 + 0.12 * Math.max(1, bars.length)], label: `${say("mean rank")} →`, ticks: last },
    y: { domain: names, label: null },
    marks: [
      Plot.gridX({ ticks: last }),
      Plot.link(
        methods.filter((method) => method.low !== null),
        { x1: "low", x2: "high", y: "name", stroke: colour(0), strokeWidth: 1.5 },
      ),
      Plot.dot(methods, { x: "mean", y: "name", r: 5, fill: colour(0) }),
      Plot.link(bars, { x1: "x", x2: "x", y1: "from", y2: "to", stroke: "currentColor", strokeWidth: 4 }),
      Plot.link(
        difference === null ? [] : [{ from: 1, to: 1 + difference, name: names[0] }],
        { x1: "from", x2: "to", y1: "name", y2: "name", dy: -20, stroke: "currentColor", strokeWidth: 2 },
      ),
    ],
  });
}
