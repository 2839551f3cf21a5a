// Quality against speed: a point a row with its intervals, and the line of rows that no other beats in both.

const MOST_INTERVALS = 60;
const MOST_NAMES = 8;

function tradeOff(task, board, look) {
  if (!task.scenarios.length) return null;
  const metrics = Object.keys(task.points.quality);
  const axes = { metric: metrics[0], scenario: task.scenarios[0] };
  let selected = null;
  const caption = element("figcaption", {});
  const view = drawing((width) => {
    const points = tradeOffPoints(task, board, axes);
    caption.textContent = tradeOffCaption(
      points.length,
      board.rows().length - points.length,
      cascadePoints(task, axes).length > 0,
    );
    if (!points.length) {
      return element("p", { class: "note" }, say("No row to draw: none has both a quality and a valid rate."));
    }
    const chart = tradeOffChart(width, points, frontLine(task, axes), axes, selected, cascadePoints(task, axes));
    chart.addEventListener("click", () => chart.value?.row !== undefined && look(chart.value.row));
    return chart;
  });
  const byMetric = chooser(
    say("quality"),
    metrics.map((metric) => say(metric)),
    (chosen) => {
    axes.metric = metrics[chosen];
    view.redraw();
  });
  const scenarios = task.scenarios.map((each) => `${each.name}: ${each.words}`);
  const byScenario = chooser(say("speed"), scenarios, (chosen) => {
    axes.scenario = task.scenarios[chosen];
    view.redraw();
  });
  const controls = element("div", { class: "controls" }, byMetric.field, byScenario.field);
  return {
    node: element("figure", {}, controls, tradeOffLegend(board), view.place, caption),
    redraw: view.redraw,
    select: (row) => {
      selected = row;
      view.redraw();
    },
  };
}

function tradeOffPoints(task, board, { metric, scenario }) {
  const quality = task.points.quality[metric];
  const rates = task.points.rates[scenario.key];
  const front = new Set(task.points.fronts[`${metric}|${scenario.key}`]);
  const rows = board.rows().filter((row) => quality[row] && rates[row]);
  return rows.map((row) => {
    const [y, low, high] = quality[row];
    const [x, slow, fast] = rates[row];
    const name = board.name(row);
    const title = [
      name,
      `${say(metric)} ${board.shown(row, metric)}`,
      `${scenario.name} ${board.shown(row, scenario.key)} ${scenario.unit}`,
      say("answers: {mark}", { mark: board.shown(row, "answers") }),
    ].join("\n");
    const fill = colour(board.engines.indexOf(board.shown(row, "engine")));
    return { row, name, title, fill, x, slow, fast, y, low, high, kept: task.points.kept[row], front: front.has(row) };
  });
}

// The best pair of rows, computed from their answers and rates.
function cascadePoints(task, { metric, scenario }) {
  const cascade = task.points.cascade;
  if (!cascade || cascade.scenario !== scenario.key || !cascade.quality[metric]) return [];
  const [y, low, high] = cascade.quality[metric];
  const title = [
    say("cascade: {name}", { name: cascade.name }),
    `${say(metric)} ${score(y)}`,
    `${scenario.name} ${figuresOf(cascade.rates[0])} ${scenario.unit}`,
    say("handed on: {share}", { share: percent(cascade.handed_on) }),
  ].join("\n");
  return [{ x: cascade.rates[0], y, low, high, title }];
}

// The line belongs to all rows of the table, whatever the filter shows; each machine has its own.
function frontLine(task, { metric, scenario }) {
  const [quality, rates] = [task.points.quality[metric], task.points.rates[scenario.key]];
  const front = task.points.fronts[`${metric}|${scenario.key}`];
  const machines = task.points.machines;
  return front
    .map((row) => ({ x: rates[row][0], y: quality[row][0], machine: machines[row] ?? "" }))
    .sort((a, b) => a.x - b.x);
}

function tradeOffCaption(shown, hidden, cascade) {
  const bars =
    shown > MOST_INTERVALS ? say("Bars: 95 % intervals of the rows on the line.") : say("Bars: 95 % intervals.");
  const line = say(
    "Pareto line: rows that no other beats in both quality and speed, among those that keep their classifier's answers at a valid speed.",
  );
  const both = cascade ? say("Diamond: the best cascade of two rows, computed, not measured.") : "";
  const left =
    hidden === 1
      ? say("1 row has no rate to believe and is not drawn.")
      : say("{rows} rows have no rate to believe and are not drawn.", { rows: count(hidden) });
  return [bars, line, both, hidden ? left : ""].filter(Boolean).join(" ");
}

function tradeOffChart(width, points, line, { metric, scenario }, selected, cascades) {
  const many = points.length > MOST_INTERVALS;
  const height = Math.max(280, Math.min(360, width * 0.5));
  const bars = many ? points.filter((each) => each.front) : points;
  const place = { x: "x", y: "y" };
  const radius = many ? 3 : 4.5;
  const ticks = Math.max(3, width / 110);
  return Plot.plot({
    className: "plot",
    width,
    height,
    inset: 8,
    marginLeft: 48,
    marginBottom: 40,
    ariaLabel: say("{metric} against {unit}", { metric: say(metric), unit: scenario.unit }),
    x: { type: "log", label: say("{unit} (log) →", { unit: scenario.unit }), grid: true, ticks, tickFormat: ",~r" },
    y: { label: `↑ ${say(metric)}`, grid: true, nice: true },
    marks: [
      Plot.line(line, { ...place, z: "machine", curve: "step-before", strokeOpacity: 0.6, strokeDasharray: "4 3" }),
      Plot.ruleX(bars, { x: "x", y1: "low", y2: "high", stroke: "fill", strokeOpacity: many ? 0.5 : 0.8 }),
      Plot.ruleY(
        bars.filter((each) => each.fast > each.slow),
        { y: "y", x1: "slow", x2: "fast", stroke: "fill" },
      ),
      Plot.dot(
        points.filter((each) => each.kept),
        { ...place, fill: "fill", r: radius, fillOpacity: many ? 0.75 : 1 },
      ),
      Plot.dot(
        points.filter((each) => !each.kept),
        { ...place, stroke: "fill", symbol: "times", r: radius, strokeWidth: 2 },
      ),
      Plot.dot(
        points.filter((each) => each.row === selected),
        { ...place, r: 9, strokeWidth: 1.5 },
      ),
      Plot.ruleX(cascades, { x: "x", y1: "low", y2: "high" }),
      Plot.dot(cascades, { ...place, symbol: "diamond", r: 6, fill: "var(--ground)", stroke: "currentColor", strokeWidth: 2 }),
      ...frontNames(points, width, height),
      Plot.tip([...points, ...cascades], Plot.pointer({ ...place, title: "title" })),
    ],
    color: { type: "identity" },
  });
}

// Names of the rows on the line, where there is room: beyond the line it is empty.
function frontNames(points, width, height) {
  const x = d3.scaleLog(
    d3.extent(points, (each) => each.x),
    [60, width - 30],
  );
  const y = d3.scaleLinear(
    d3.extent(points, (each) => each.y),
    [height - 50, 30],
  );
  const [taken, sides] = [[], { start: [], end: [] }];
  const front = points.filter((each) => each.front).sort((a, b) => b.y - a.y);
  for (const each of front) {
    const room = 7 * each.name.length;
    const side = x(each.x) + room > width - 20 ? "end" : "start";
    const from = x(each.x) - (side === "end" ? room : 0);
    const box = { from, to: from + room, y: y(each.y) };
    const free = taken.every((it) => box.to < it.from || box.from > it.to || Math.abs(box.y - it.y) > 18);
    if (taken.length < MOST_NAMES && box.from > 40 && free) {
      taken.push(box);
      sides[side].push(each);
    }
  }
  const halo = { fill: "currentColor", stroke: "var(--ground)", strokeWidth: 4 };
  const anchored = (side, dx) =>
    Plot.text(sides[side], { x: "x", y: "y", text: "name", textAnchor: side, dx, dy: -9, ...halo });
  return [anchored("start", 6), anchored("end", -6)];
}

function tradeOffLegend(board) {
  return legend([
    ...board.engines.map((name, at) => ({ name, colour: colour(at) })),
    { name: say("changes answers, or has no certificate"), colour: "currentColor", cross: true },
    { name: say("Pareto line"), colour: "currentColor", line: true, dash: "4 3" },
  ]);
}
