// Throughput against latency under Poisson load, of the rows seen in the table.

function serverCurves(task, board) {
  if (!task.server.some(Boolean)) return null;
  const [names, caption] = [element("div", {}), element("figcaption", {})];
  const view = drawing(draw);

  function draw(width) {
    const all = board.rows().filter((row) => task.server[row]);
    const rows = all.slice(0, COLOURS);
    const points = rows.flatMap((row, at) => serverPoints(task.server[row], board.name(row), at));
    const limits = [...new Set(rows.map((row) => task.server[row].limit_ms))];
    names.replaceChildren(serverLegend(task, board, rows));
    caption.textContent = serverCaption(rows.length, all.length);
    if (!points.length) return element("p", { class: "note" }, say("None of the rows shown was measured under load."));
    return serverChart(width, points, limits);
  }

  return { node: element("figure", {}, names, view.place, caption), redraw: view.redraw };
}

// Two points a rate: the median and the percentile that the limit is about.
function serverPoints({ percentile, limit_ms, points }, name, at) {
  return points.flatMap(([rate, median, limited, supported, confirmed]) => {
    const title = [
      name,
      say("{rate} answers/s", { rate: figuresOf(rate) }),
      median === null ? "" : `p50 ${figuresOf(median)} ms`,
      `${percentile} ${figuresOf(limited)} ms`,
      supported ? "" : say("from too few requests to be exact"),
      say("limit {limit} ms", { limit: figuresOf(limit_ms) }),
    ];
    const shared = { x: rate, at, title: title.filter(Boolean).join("\n") };
    const high = { ...shared, y: limited, line: `${at} high`, high: true, supported, confirmed };
    return median === null ? [high] : [high, { ...shared, y: median, line: `${at} median` }];
  });
}

function serverCaption(shown, all) {
  return say(
    "{shown} of {all} rows measured under Poisson load, in the order of the table; latency from the scheduled arrival. Dots: filled where enough requests support the percentile, hollow in the search; rings: the rate that was confirmed three times.",
    { shown: count(shown), all: count(all) },
  );
}

function serverLegend(task, board, rows) {
  const percentiles = [...new Set(rows.map((row) => task.server[row].percentile))].join(", ");
  return legend([
    ...rows.map((row, at) => ({ name: board.name(row), colour: colour(at), line: true })),
    { name: say("{percentile}: solid", { percentile: percentiles }), colour: "currentColor", line: true },
    { name: say("{percentile}: dashed", { percentile: "p50" }), colour: "currentColor", line: true, dash: "4 3" },
    { name: say("latency limit"), colour: "currentColor", line: true, dash: "1 3" },
  ]);
}

function serverChart(width, points, limits) {
  const stroke = (point) => colour(point.at);
  const place = { x: "x", y: "y" };
  const high = points.filter((point) => point.high);
  const median = points.filter((point) => !point.high);
  const ticks = Math.max(3, width / 110);
  return Plot.plot({
    className: "plot",
    width,
    height: Math.max(280, Math.min(400, width * 0.5)),
    inset: 8,
    marginLeft: 52,
    marginBottom: 40,
    ariaLabel: say("throughput and latency"),
    x: { type: "log", label: say("answers per second (log) →"), grid: true, ticks, tickFormat: ",~r" },
    y: { type: "log", label: say("↑ milliseconds (log)"), grid: true, ticks: 5, tickFormat: ",~r" },
    marks: [
      Plot.ruleY(limits, { stroke: "currentColor", strokeDasharray: "1 3", strokeWidth: 1.5 }),
      Plot.text(limits, {
        y: (limit) => limit,
        frameAnchor: "right",
        textAnchor: "end",
        dy: -7,
        text: (limit) => say("limit {limit} ms", { limit: figuresOf(limit) }),
        fill: "currentColor",
        stroke: "var(--ground)",
      }),
      Plot.line(median, { ...place, z: "line", stroke, strokeDasharray: "4 3", strokeOpacity: 0.8 }),
      Plot.line(high, { ...place, z: "line", stroke, strokeWidth: 1.75 }),
      Plot.dot(high, { ...place, r: 3, stroke, fill: (point) => (point.supported ? stroke(point) : "var(--ground)") }),
      Plot.dot(
        high.filter((point) => point.confirmed),
        { ...place, r: 7, stroke, strokeWidth: 2 },
      ),
      Plot.tip(points, Plot.pointer({ ...place, title: "title" })),
    ],
  });
}
