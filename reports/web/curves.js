// Training curves of the classifiers seen in the table, and what a study varied.

function trainingCurves(task, board) {
  if (!task.curves.length) return null;
  const measures = [...new Set(task.curves.flatMap((curve) => Object.keys(curve.series)))];
  let measure = measures[0];
  const names = element("div", {});
  const caption = element("figcaption", {});
  const view = drawing(draw);
  const by = chooser("measure", measures, (chosen) => {
    measure = measures[chosen];
    view.redraw();
  });

  function draw(width) {
    const seen = [...new Set(board.rows().map((row) => board.shown(row, "classifier")))];
    const all = task.curves.filter((curve) => seen.includes(curve.name) && curve.series[measure]);
    const curves = all.sort((a, b) => seen.indexOf(a.name) - seen.indexOf(b.name)).slice(0, COLOURS);
    const points = curves.flatMap((curve, at) =>
      curve.read
        .map((x, point) => ({
          x,
          y: curve.series[measure][point],
          at,
          chosen: point === curve.chosen,
          title: `${curve.name}\n${count(x)} texts read\n${measure} ${curve.series[measure][point]}`,
        }))
        .filter((point) => point.y !== null),
    );
    names.replaceChildren(legend(curves.map((curve, at) => ({ name: curve.name, colour: colour(at), line: true }))));
    caption.textContent = `${count(curves.length)} of ${count(all.length)} trainings, in the order of the table. Ring: the checkpoint chosen on validation.`;
    if (!points.length) return element("p", { class: "note" }, "None of the rows shown has a training curve.");
    return lineChart(width, points, "training texts read →", `↑ ${measure}`, {
      ariaLabel: "training curves",
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
      Plot.line(points, { x: "x", y: "y", z: "at", stroke, strokeWidth: 1.75 }),
      Plot.dot(points, { x: "x", y: "y", r: 2.5, fill: stroke }),
      ...extra,
      Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: "title" })),
    ],
  });
}

function studyCurves(task) {
  const study = task.studies;
  if (!study.series.some((series) => series.points.length > 1)) return null;
  const points = study.series.flatMap((series, at) =>
    series.points.map(([x, y, low, high]) => ({
      x,
      y,
      low,
      high,
      at,
      title: `${series.name}\n${study.by_size ? `${count(x)} training texts` : `${study.axis} ${x}`}\ntest macro F1 ${score(y)}\n95 %: ${score(low)} to ${score(high)}`,
    })),
  );
  const view = drawing((width) =>
    lineChart(width, points, `${study.axis}${study.by_size ? " (log) →" : " →"}`, "↑ test macro F1", {
      ariaLabel: study.title,
      x: study.by_size
        ? { type: "log", base: 2, grid: true, ticks: Math.max(3, width / 110), tickFormat: "," }
        : { type: "point", domain: [...new Set(points.map((point) => point.x))] },
      extra: [Plot.ruleX(points, { x: "x", y1: "low", y2: "high", stroke: (point) => colour(point.at) })],
    }),
  );
  const names = legend(study.series.map((series, at) => ({ name: series.name, colour: colour(at), line: true })));
  return {
    node: element(
      "figure",
      {},
      names,
      view.place,
      element("figcaption", {}, "The same test texts at every point. Bars: 95 % intervals over test texts."),
    ),
  };
}
