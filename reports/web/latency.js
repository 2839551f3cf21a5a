// Latency distributions: a strip a row, in the order of the table.

const MOST_STRIPS = 20;
const STRIP = 34;

function latencies(task, board) {
  const scenarios = task.scenarios.filter((each) => task.latencies[each.key]?.some(Boolean));
  if (!scenarios.length) return null;
  let scenario = scenarios[0];
  const caption = element("figcaption", {});
  const view = drawing(draw);
  const by = chooser(
    say("scenario"),
    scenarios.map((each) => `${each.name}: ${each.words}`),
    (chosen) => {
      scenario = scenarios[chosen];
      view.redraw();
    },
  );

  function draw(width) {
    const all = board.rows().filter((row) => task.latencies[scenario.key][row]);
    const strips = all.slice(0, MOST_STRIPS).map((row) => strip(row, new Map(task.latencies[scenario.key][row])));
    caption.textContent = say(
      "{shown} of {all} rows with a distribution, in the order of the table. Thin line: fastest to slowest request; bar: middle half; dot: median; tick: p99, where enough queries support it. Rows of fewer than {fewest} requests have none.",
      { shown: count(strips.length), all: count(all.length), fewest: task.fewest },
    );
    if (!strips.length) return element("p", { class: "note" }, say("None of the rows shown has a latency distribution."));
    return Plot.plot({
      className: "plot",
      width,
      height: STRIP * strips.length + 60,
      marginLeft: 8,
      marginRight: 16,
      marginTop: 24,
      ariaLabel: say("latency distributions"),
      x: { type: "log", label: say("milliseconds (log) →"), grid: true, ticks: Math.max(3, width / 110), tickFormat: ",~r" },
      y: { axis: null, domain: strips.map((each) => each.row), padding: 0 },
      marks: [
        Plot.ruleY(strips, { y: "row", x1: "fastest", x2: "slowest", stroke: "var(--c7)" }),
        Plot.ruleY(strips, {
          y: "row",
          x1: "p25",
          x2: "p75",
          stroke: "var(--c0)",
          strokeWidth: 7,
          strokeOpacity: 0.55,
        }),
        Plot.dot(strips, { x: "p50", y: "row", fill: "var(--c0)", r: 4 }),
        Plot.tickX(
          strips.filter((each) => each.p99),
          { x: "p99", y: "row", stroke: "var(--c1)", strokeWidth: 2.5, insetTop: 10, insetBottom: 10 },
        ),
        Plot.text(strips, {
          frameAnchor: "left",
          y: "row",
          text: "name",
          dy: -12,
          textAnchor: "start",
          fill: "currentColor",
          stroke: "var(--ground)",
        }),
        Plot.tip(strips, Plot.pointerY({ x: "p50", y: "row", title: "title" })),
      ],
    });
  }

  function strip(row, at) {
    const title = [
      board.name(row),
      ...[...at]
        .filter(([share]) => (share >= 50 && share % 10 !== 5) || share === 95)
        .map(([share, ms]) => `${share === 100 ? say("slowest") : `p${share}`} ${figuresOf(ms)} ms`),
    ];
    return {
      row,
      name: board.name(row),
      fastest: at.get(0),
      p25: at.get(25),
      p50: at.get(50),
      p75: at.get(75),
      p99: at.get(99),
      slowest: at.get(100),
      title: title.join("\n"),
    };
  }

  const controls = scenarios.length > 1 ? element("div", { class: "controls" }, by.field) : null;
  return { node: element("figure", {}, controls, view.place, caption), redraw: view.redraw };
}
