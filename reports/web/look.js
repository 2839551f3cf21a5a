// One row looked into: what it takes for what, and its score in each class.

function lookInto(task, board, chosen) {
  const rows = task.matrices.of_row.flatMap((matrix, row) => (matrix === null ? [] : [row]));
  if (!rows.length) return null;
  const place = element("div", { class: "side" });
  const by = chooser(
    say("row"),
    rows.map((row) => `${board.shown(row, "rank")}. ${board.name(row)}`),
    (at) => chosen(rows[at]),
  );

  function show(row) {
    if (!rows.includes(row)) return;
    by.select.value = rows.indexOf(row);
    const matrix = task.matrices.different[task.matrices.of_row[row]];
    place.replaceChildren(
      matrix.matrix ? confusionMatrix(task, matrix.matrix) : confusions(task, matrix.confusions),
      perClass(task, matrix.classes),
    );
  }

  return { node: element("div", {}, element("div", { class: "controls" }, by.field), place), show, first: rows[0] };
}

function confusionMatrix(task, matrix) {
  const heads = task.classes.map((name) => element("th", { scope: "col", dir: "auto", class: "number" }, name));
  const lines = matrix.map((counts, label) => {
    const answered = d3.sum(counts);
    const cells = counts.map((number, answer) => {
      const share = answered ? number / answered : 0;
      const kinds = [share > 0.55 && "strong", answer === label && "right"].filter(Boolean).join(" ");
      const title = say("{label} answered as {answer}: {texts}, {share}", {
        label: task.classes[label],
        answer: task.classes[answer],
        texts: count(number),
        share: percent(share),
      });
      const cell = element("td", { title, class: kinds || null }, count(number));
      cell.style.setProperty("--share", share.toFixed(3));
      return cell;
    });
    return element("tr", {}, element("th", { scope: "row", dir: "auto" }, task.classes[label]), ...cells);
  });
  const table = element(
    "table",
    { class: "matrix" },
    element(
      "caption",
      {},
      say("Confusion matrix: a line a true class, a column an answer; shaded by its share of the line"),
    ),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, say("label")), ...heads)),
    element("tbody", {}, ...lines),
  );
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": say("confusion matrix") }, table);
}

function confusions(task, entries) {
  const columns = [{ name: say("label") }, { name: say("answered") }, { name: say("texts"), numeric: true, high: true }];
  const rows = entries.map(([number, label, answer]) => ({
    shown: [task.classes[label], task.classes[answer], count(number)],
    values: [null, null, number],
  }));
  return sortableTable(say("Most frequent confusions"), columns, rows).scroll;
}

function perClass(task, classes) {
  const figure = (name) => ({ name, numeric: true, high: true });
  const columns = [
    { name: say("class") },
    figure(say("precision")),
    figure(say("recall")),
    figure(say("F1")),
    figure(say("texts")),
  ];
  const rows = classes.map(([at, precision, recall, f1, support]) => ({
    shown: [task.classes[at], score(precision), score(recall), score(f1), count(support)],
    values: [null, precision, recall, f1, support],
  }));
  const label =
    classes.length < task.classes.length
      ? say("The {shown} weakest of {all} classes", { shown: classes.length, all: task.classes.length })
      : say("Classes");
  return sortableTable(label, columns, rows).scroll;
}
