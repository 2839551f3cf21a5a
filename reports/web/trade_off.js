// Quality against speed: a point a row with its intervals, and the line of rows that no other beats in both.

const MOST_INTERVALS = 60;
const MOST_NAMES = 8;

function tradeOff(task, board, look) {
  const metrics = Object.keys(task.points.quality);
  const scenarios = task.scenarios;
  if (!scenarios.length) return null;
  let [metric, scenario, selected] = [metrics[0], scenarios[0], null];
  const caption = element("figcaption", {});
  const view = drawing(draw);

  const byMetric = chooser("quality", metrics, (chosen) => {
    metric = metrics[chosen];
    view.redraw();
  });
  const byScenario = chooser("speed", scenarios.map((each) => `${each.key}: ${each.words}`), (chosen) => {
    scenario = scenarios[chosen];
    view.redraw();
  });

  function points() {
    const quality = task.points.quality[metric];
    const rates = task.points.rates[scenario.key];
    const front = new Set(task.points.fronts[`${metric}|${scenario.key}`]);
    return board
      .rows()
      .filter((row) => quality[row] && rates[row])
      .map((row) => {
        const [y, low, high] = quality[row];
        const [x, slow, fast] = rates[row];
        const engine = board.shown(row, "engine");
        return { row, x, y, low, high, slow, fast, engine, kept: task.points.kept[row], front: front.has(row), title: tooltip(row) };
      });
  }

  function tooltip(row) {
    const lines = [board.name(row)];
    lines.push(`${metric} ${board.shown(row, metric)}`, `${scenario.key} ${board.shown(row, scenario.key)} ${scenario.unit}`);
    lines.push(`answers: ${board.shown(row, "answers")}`);
    return lines.join("\n");
  }

  // The line belongs to all rows of the table, whatever the filter shows.
  function frontLine() {
    const [quality, rates] = [task.points.quality[metric], task.points.rates[scenario.key]];
    return task.points.fronts[`${metric}|${scenario.key}`].map((row) => ({ x: rates[row][0], y: quality[row][0] })).sort((a, b) => a.x - b.x);
  }

  function draw(width) {
    const shown = points();
    const hidden = board.rows().length - shown.length;
    const many = shown.length > MOST_INTERVALS;
    caption.replaceChildren(
      `Bars: 95 % intervals${many ? " of the rows on the line" : ""}. Pareto line: rows that no other beats in both quality and ` +
        "speed, among those that keep their classifier's answers at a valid speed." +
        (hidden ? ` ${count(hidden)} ${hidden === 1 ? "row has" : "rows have"} no rate to believe and ${hidden === 1 ? "is" : "are"} not drawn.` : ""),
    );
    if (!shown.length) return element("p", { class: "note" }, "No row to draw: none has both a quality and a valid rate.");
    const height = Math.max(280, Math.min(360, width * 0.5));
    const bars = many ? shown.filter((each) => each.front) : shown;
    const fill = (each) => colour(board.engines.indexOf(each.engine));
    const [kept, changed] = [shown.filter((each) => each.kept), shown.filter((each) => !each.kept)];
    const chart = Plot.plot({
      className: "plot",
      width,
      height,
      inset: 8,
      marginLeft: 48,
      marginBottom: 40,
      ariaLabel: `${metric} against ${scenario.unit}`,
      x: { type: "log", label: `${scenario.unit} (log) →`, grid: true, ticks: Math.max(3, width / 110), tickFormat: ",~r" },
      y: { label: `↑ ${metric}`, grid: true, nice: true },
      marks: [
        Plot.line(frontLine(), { x: "x", y: "y", curve: "step-before", stroke: "currentColor", strokeOpacity: 0.6, strokeDasharray: "4 3" }),
        Plot.ruleX(bars, { x: "x", y1: "low", y2: "high", stroke: fill, strokeOpacity: many ? 0.5 : 0.8 }),
        Plot.ruleY(bars.filter((each) => each.fast > each.slow), { y: "y", x1: "slow", x2: "fast", stroke: fill }),
        Plot.dot(kept, { x: "x", y: "y", fill, r: many ? 3 : 4.5, fillOpacity: many ? 0.75 : 1 }),
        Plot.dot(changed, { x: "x", y: "y", stroke: fill, symbol: "times", r: many ? 3 : 4.5, strokeWidth: 2 }),
        Plot.dot(shown.filter((each) => each.row === selected), { x: "x", y: "y", r: 9, stroke: "currentColor", strokeWidth: 1.5 }),
        ...named(shown, width, height),
        Plot.tip(shown, Plot.pointer({ x: "x", y: "y", title: "title" })),
      ],
    });
    chart.addEventListener("click", () => chart.value && look(chart.value.row));
    return chart;
  }

  // Names of the rows on the line, where there is room: beyond the line it is empty.
  function named(shown, width, height) {
    const [xs, ys] = [d3.scaleLog(d3.extent(shown, (each) => each.x), [60, width - 30]), d3.scaleLinear(d3.extent(shown, (each) => each.y), [height - 50, 30])];
    const [taken, sides] = [[], { start: [], end: [] }];
    for (const each of shown.filter((one) => one.front).sort((a, b) => b.y - a.y)) {
      const room = 7 * board.name(each.row).length;
      const [x, y] = [xs(each.x), ys(each.y)];
      const side = x + room > width - 20 ? "end" : "start";
      const [from, to] = side === "end" ? [x - room, x] : [x, x + room];
      if (taken.length < MOST_NAMES && from > 40 && taken.every((other) => to < other.from || from > other.to || Math.abs(y - other.y) > 18)) {
        taken.push({ from, to, y });
        sides[side].push(each);
      }
    }
    return Object.entries(sides).map(([textAnchor, entries]) =>
      Plot.text(entries, {
        x: "x", y: "y", text: (each) => board.name(each.row), textAnchor, dx: textAnchor === "start" ? 6 : -6, dy: -9,
        fill: "currentColor", stroke: "var(--ground)", strokeWidth: 4,
      }),
    );
  }

  const entries = board.engines.filter((name) => name !== "-").map((name) => ({ name, colour: colour(board.engines.indexOf(name)) }));
  entries.push({ name: "changes answers, or has no certificate", colour: "currentColor", cross: true });
  entries.push({ name: "Pareto line", colour: "currentColor", line: true, dash: "4 3" });
  return {
    node: element("figure", {}, element("div", { class: "controls" }, byMetric.field, byScenario.field), legend(entries), view.place, caption),
    redraw: view.redraw,
    select: (row) => {
      selected = row;
      view.redraw();
    },
  };
}
