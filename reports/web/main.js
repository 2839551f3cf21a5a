// The page, put together from the data embedded in it.

const page = document.getElementById("page");

function section(title, content) {
  return content ? [element("h3", {}, title), content.node ?? content] : [];
}

function taskSection(task, id) {
  let parts = [];
  const changed = () => parts.forEach((part) => part?.redraw?.());
  const look = (row, scroll) => {
    [board, plot].forEach((part) => part?.select(row));
    into?.show(row);
    if (scroll) document.getElementById(`${id}-look`)?.scrollIntoView({ block: "start" });
  };
  const board = leaderboard(task, changed, (row) => look(row, true));
  const plot = tradeOff(task, board, (row) => look(row, false));
  const into = lookInto(task, board, (row) => look(row, false));
  const strips = latencies(task, board);
  const load = serverCurves(task, board);
  const curves = trainingCurves(task, board);
  parts = [plot, strips, load, curves];
  const several = run.tasks.length > 1;
  const node = element(
    "section",
    { id, "aria-label": task.title },
    several ? element("h2", { dir: "auto" }, task.title) : null,
    several ? lead(task) : null,
    element(
      "div",
      { class: "first" },
      plot?.node ?? element("p", { class: "note" }, say("No speed was measured.")),
      rankings(task),
    ),
    board.node,
    ...section(say("Latency"), strips),
    ...section(say("Throughput and latency under load"), load),
    ...section(say("Training curves"), curves),
    ...task.scores.flatMap((chart) => section(chart.title, scoreCurves(chart))),
    ...(into ? [element("h3", { id: `${id}-look` }, say("One row looked into")), into.node] : []),
    ...section(say("Texts most classifiers get wrong"), hardest(task)),
    ...section(say("Answers another engine changed"), flips(task)),
    ...section(say("All tables of the report"), furtherTables(task)),
    element("h3", {}, say("Where the figures come from")),
    listing(task.provenance, "facts"),
  );
  if (into) look(into.first, false);
  return node;
}

function lead(task) {
  return element("p", { class: task.comparable ? "lead" : "lead warn", dir: "auto" }, task.lead);
}

function rankings(task) {
  if (!task.rankings.length) return null;
  return element(
    "div",
    { class: "ranking", tabindex: 0, role: "region", "aria-label": say("rankings") },
    element("strong", {}, say("Who is ahead")),
    listing(task.rankings, "facts"),
  );
}

function show() {
  const several = run.tasks.length > 1;
  page.append(element("h1", { dir: "auto" }, run.title));
  if (several)
    page.append(
      element(
        "nav",
        { "aria-label": say("tasks") },
        element(
          "ul",
          {},
          ...run.tasks.map((task, at) =>
            element("li", {}, element("a", { href: `#task-${at}`, dir: "auto" }, task.name)),
          ),
          run.across ? element("li", {}, element("a", { href: "#across" }, run.across.table.title)) : null,
        ),
      ),
    );
  else page.append(lead(run.tasks[0]));
  page.append(...run.tasks.map((task, at) => taskSection(task, `task-${at}`)));
  if (run.across) page.append(acrossSection(run.across, "across"));
  page.append(element("footer", {}, run.footer));
  document.documentElement.dataset.ready = Math.round(performance.now());
}

show();
