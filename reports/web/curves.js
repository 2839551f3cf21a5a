// Training curves of the classifiers seen in the table, and scores over a study or the first test texts.

const DASH = "5 4";

function trainingCurves(task, board) {
  if (!task.curves.length) return null;
  const measures = [...new Set(task.curves.flatMap((curve) => Object.keys(curve.series)))];
  let measure = measures[0];
  const names = element("div", {});
  const caption = element("figcaption", {});
  const view = drawing(draw);
  const by = chooser(
    say("measure"),
    measures.map((name) => say(name)),
    (chosen) => {
      measure = measures[chosen];
      view.redraw();
    },
  );

  function draw(width) {
    const seen = [...new Set(board.rows().map((row) => board.shown(row, "classifier")))];
    const all = task.curves.filter((curve) => seen.includes(curve.classifier) && curve.series[measure]);
    const curves = all.sort((a, b) => seen.indexOf(a.classifier) - seen.indexOf(b.classifier)).slice(0, COLOURS);
    const points = curves.flatMap((curve, at) =>
      curve.read
        .map((x, point) => ({
          x,
          y: curve.series[measure][point],
          at,
          published: curve.published,
          chosen: point === curve.chosen,
          title: [
            curve.name,
            say("{texts} texts read", { texts: count(x) }),
            `${say(measure)} ${curve.series[measure][point]}`,
          ].join("\n"),
        }))
        .filter((point) => point.y !== null),
    );
    names.replaceChildren(lineLegend(curves));
    caption.textContent = say(
      "{shown} of {all} trainings, in the order of the table. Ring: the checkpoint chosen on validation.",
      { shown: count(curves.length), all: count(all.length) },
    );
    if (!points.length) return element("p", { class: "note" }, say("None of the rows shown has a training curve."));
    return lineChart(width, points, `${say("training texts read")} →`, `↑ ${say(measure)}`, {
      ariaLabel: say("training curves"),
      extra: [
        Plot.dot(
          points.filter((point) => point.chosen),
          { x: "x", y: "y", r: 7, stroke: (point) => colour(point.at), strokeWidth: 2 },
        ),
      ],
    });
  }

  return {
    node: element("figure", {}, element("div", { class: "controls" }, by.field), names, view.place, caption),
    redraw: view.redraw,
  };
}

function lineChart(width, points, xLabel, yLabel, { x = {}, ariaLabel, extra = [] }) {
  const stroke = (point) => colour(point.at);
  const [ours, published] = [points.filter((point) => !point.published), points.filter((point) => point.published)];
  return Plot.plot({
    className: "plot",
    width,
    height: Math.max(260, Math.min(400, width * 0.5)),
    marginLeft: 52,
    marginBottom: 40,
    ariaLabel,
    x: { label: xLabel, ...x },
    y: { label: yLabel, grid: true, nice: true },
    marks: [
      Plot.line(ours, { x: "x", y: "y", z: "at", stroke, strokeWidth: 1.75 }),
      Plot.dot(ours, { x: "x", y: "y", r: 2.5, fill: stroke }),
      Plot.line(published, { x: "x", y: "y", z: "at", stroke, strokeDasharray: DASH }),
      Plot.dot(published, { x: "x", y: "y", r: 3, stroke, fill: "var(--ground)" }),
      ...extra,
      Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: "title" })),
    ],
  });
}

function lineLegend(lines) {
  return legend(
    lines.map(({ name, published }, at) => ({ name, colour: colour(at), line: true, dash: published ? DASH : null })),
  );
}

// In the order given, numbers by their size.
function named(values) {
  const different = [...new Set(values)];
  return different.some(isNaN) ? different : different.sort((a, b) => a - b);
}

// A chart of scores: a study, shares automated, or the accuracy on the first test texts. Dashed: published, without intervals.
function scoreCurves(chart) {
  const points = chart.lines.flatMap((line, at) =>
    line.points.map(([x, y, low, high]) => ({
      x,
      y,
      low,
      high,
      at,
      published: line.published,
      title: [
        line.name,
        chart.by_size ? `${count(x)} ${chart.axis}` : `${chart.axis} ${x}`,
        `${chart.metric} ${score(y)}`,
        low === null ? null : say("95 %: {low} to {high}", { low: score(low), high: score(high) }),
      ]
        .filter(Boolean)
        .join("\n"),
    })),
  );
  const view = drawing((width) =>
    lineChart(
      width,
      points,
      chart.by_size ? say("{unit} (log) →", { unit: chart.axis }) : `${chart.axis} →`,
      `↑ ${chart.metric}`,
      {
        ariaLabel: chart.title,
        x: chart.by_size
          ? { type: "log", base: 2, grid: true, ticks: Math.max(3, width / 110), tickFormat: "," }
          : { type: "point", domain: named(points.map((point) => point.x)) },
        extra: [
          Plot.ruleX(
            points.filter((point) => point.low !== null),
            { x: "x", y1: "low", y2: "high", stroke: (point) => colour(point.at) },
          ),
        ],
      },
    ),
  );
  const caption = chart.lines.some((line) => line.published)
    ? say(
        "Bars: 95 % intervals over test texts. Dashed: published figures of other models, machines and test texts (see the tables).",
      )
    : say("Bars: 95 % intervals over test texts.");
  return { node: element("figure", {}, lineLegend(chart.lines), view.place, element("figcaption", {}, caption)) };
}
