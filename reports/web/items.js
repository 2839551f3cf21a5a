// Test texts worth reading. A text is shown as it is: text, never markup.

const NO_ANSWER = say("(no valid answer)");
const number = (name, high, explained) => ({ name, numeric: true, high, explained });

function textCell(text) {
  return [text ?? element("span", { class: "note" }, say("text not kept in the run folder"))];
}

function hardest(task) {
  const { rows, items, wrong, classifiers } = task.hardest;
  if (!rows.length) return null;
  const columns = [
    { name: say("text"), wide: true, cell: textCell },
    number(say("wrong"), true, say("classifiers that answered otherwise, of those that answered")),
    { name: say("label") },
    { name: say("mostly answered") },
    number(say("p of label"), false, say("mean probability given to the true class")),
    number(say("id"), false),
  ];
  const lines = rows.map((row) => ({
    shown: [
      row.text,
      say("{wrong} of {answered}", { wrong: row.wrong, answered: row.answered }),
      task.classes[row.label],
      task.classes[row.answer] ?? NO_ANSWER,
      score(row.probability),
      String(row.id),
    ],
    values: [null, row.wrong / row.answered, null, null, row.probability, row.id],
  }));
  const note = say(
    "The {shown} hardest of {wrong} test texts that a classifier got wrong ({items} were answered). {classifiers} classifiers have one vote each, with their reference engine. A text that all of them get wrong may be labelled wrongly.",
    { shown: count(rows.length), wrong: count(wrong), items: count(items), classifiers: count(classifiers) },
  );
  return element(
    "div",
    {},
    element("p", { class: "note" }, note),
    sortableTable(say("Hardest texts"), columns, lines).scroll,
  );
}

function flips(task) {
  const { rows, total, a_row: most } = task.flips;
  if (!rows.length) return null;
  const columns = [
    { name: say("text"), wide: true, cell: textCell },
    number(
      say("gap"),
      true,
      say("gap between the two most probable classes on the reference engine: a large one is no close call"),
    ),
    { name: say("classifier") },
    { name: say("engine") },
    { name: say("label") },
    { name: say("reference answered") },
    { name: say("engine answered") },
    number(say("id"), false),
  ];
  const named = (label) => (label === null ? "-" : (task.classes[label] ?? NO_ANSWER));
  const lines = rows.map((row) => ({
    shown: [
      row.text,
      score(row.margin),
      row.classifier,
      row.engine,
      named(row.label),
      named(row.reference),
      named(row.answer),
      String(row.id),
    ],
    values: [null, row.margin, null, null, null, null, null, row.id],
  }));
  const note = say(
    "{shown} of {all} answers that another engine changed, the clearest first; at most {most} a row.",
    { shown: count(rows.length), all: count(total), most },
  );
  return element(
    "div",
    {},
    element("p", { class: "note" }, note),
    sortableTable(say("Flipped answers"), columns, lines).scroll,
  );
}

function furtherTables(task) {
  const place = element("div", {});
  const show = (at) => {
    const { title, columns, rows, notes } = task.tables[at];
    const lines = rows.map((cells) => ({ shown: cells, values: cells.map(leadingNumber) }));
    place.replaceChildren(sortableTable(title, columns, lines).scroll, listing(notes, "facts"));
  };
  if (!task.tables.length) return null;
  const by = chooser(
    say("table"),
    task.tables.map((table) => table.title),
    show,
  );
  show(0);
  return element("div", {}, element("div", { class: "controls" }, by.field), place);
}

const UNITS = { kB: 1e3, MB: 1e6, GB: 1e9, min: 60, h: 3600 };

function leadingNumber(text) {
  const found = /^[<]?(-?[\d,]+(?:\.\d+)?(?:e[-+]?\d+)?)\s*(\w+)?/.exec(text);
  return found ? Number(found[1].replaceAll(",", "")) * (UNITS[found[2]] ?? 1) : null;
}
