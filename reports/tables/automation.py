"""Shows what may be automated: coverage at stated accuracies, temperature scaling, thresholds a class."""

from __future__ import annotations

from bench.quality.selective import TARGETS, Automation, class_automation, texts_to_choose
from bench.results.records import Interval, Result
from reports.content.automation import area_of, automated_cells, automation_of, calibration_of, shown_results
from reports.content.results import Group, TaskResults
from reports.content.standing import Standing
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.markdown import shorten
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

MOST_CLASSES = 20
LONGEST_NAME = 40
_CHOICE = message(
    "an answer is automated from a confidence on, a person answers the rest; the threshold is the lowest that keeps "
    "the accuracy on validation texts, one error more than seen counted; coverage and the accuracy that came out "
    "(right) are measured on test texts, ±: the larger half of their 95 % interval"
)
_HALVES = message(
    "half of test: no validation answers are stored (language models, served ones and runs of before are not asked "
    "validation texts); half of the test texts chose the threshold, the other half measured it"
)
_CHOSEN = message("where a checkpoint was chosen on validation its answers there are a little better than elsewhere")
_AREA = message("AURC: mean error rate over all shares automated, most confident first; ±?: fewer than 50 errors")


def automation_tables(task: TaskResults, standing: Standing) -> list[Table]:
    """One row a classifier, then what temperature scaling does, then the classes of the best."""
    results = shown_results(task, standing)
    tables = [_coverage(task, results), _calibration(task, results), *(_classes(task, *results[0]) if results else ())]
    return [table for table in tables if table.rows]


def _coverage(task: TaskResults, results: list[tuple[Group, Result]]) -> Table:
    found = {result.cell.id: [automation_of(task, result, target) for target in TARGETS] for _, result in results}
    columns = (
        Column("classifier"),
        Column("threshold by", from_width=100),
        numbers("AURC"),
        *(
            column
            for target in TARGETS
            for column in (numbers(f"at {target:.0%}".replace("%", " %")), numbers("right"))
        ),
    )
    body = tuple(_coverage_row(task, group, result, found[result.cell.id]) for group, result in results)
    every = [each for several in found.values() for each in several]
    notes = [_CHOICE, _CHOSEN, _AREA]
    if any(result.cell.id not in task.validation for _, result in results):
        notes.append(_HALVES)
    if None in every:
        needed = max(map(texts_to_choose, TARGETS))
        notes.append(message("-: too few texts to choose by; {target:.0%} takes {n}", target=max(TARGETS), n=needed))
    return Table("How much can be automated", columns, body, tuple(notes))


def _coverage_row(task: TaskResults, group: Group, result: Result, found: list[Automation | None]) -> Row:
    area, validation = area_of(task, result), task.validation.get(result.cell.id)
    by = message("half of test") if validation is None else message("{n:,} validation texts", n=len(validation.ids))
    return (
        group.name,
        by,
        _area(area) if area else MISSING,
        *(cell for each in found for cell in automated_cells(each)),
    )


def _area(area: Interval) -> str:
    if area.items_needed is not None:
        return f"{area.value:.4f} ±?"
    return f"{area.value:.4f} ±{max(area.high - area.value, area.value - area.low):.4f}"


def _calibration(task: TaskResults, results: list[tuple[Group, Result]]) -> Table:
    columns = (
        Column("classifier"),
        numbers("fitted on", "texts"),
        numbers("temperature"),
        numbers("ECE"),
        numbers("ECE after"),
        numbers("log loss"),
        numbers("log loss after"),
    )
    body = tuple(
        (
            group.name,
            figures.count(found.fitted_on),
            figures.number(found.temperature),
            figures.score(found.ece_before),
            figures.score(found.ece_after),
            figures.score(found.loss_before),
            figures.score(found.loss_after),
        )
        for group, result in results
        if (found := calibration_of(task, result))
    )
    note = message(
        "the temperature of least log loss on validation, never on test, divides the logits; above 1: the classifier "
        "was too sure of itself; no row: no validation answers, or no temperature is the best (all answers right)"
    )
    return Table("Temperature scaling", columns, body, (note,))


def _classes(task: TaskResults, group: Group, result: Result) -> list[Table]:
    """Where a class has validation answers enough for some target."""
    validation, names = task.validation.get(result.cell.id), task.data.class_names
    if validation is None:
        return []
    answers = task.answers[result.cell.id]
    columns = (
        Column("class answered"),
        numbers("texts"),
        *(column for target in TARGETS for column in _class_columns(target)),
    )
    found = [class_automation(validation, answers, target, len(names)) for target in TARGETS]
    each_class = [(name, several) for name, *several in zip(names, *found, strict=True) if several[0] is not None]
    each_class.sort(key=lambda entry: -(entry[1][0].n if entry[1][0] else 0))
    body = tuple(
        (
            shorten(name, LONGEST_NAME) or "(empty)",
            figures.count(several[0].n if several[0] else None),
            *(cell for each in several for cell in _class_cells(each)),
        )
        for name, several in each_class[:MOST_CLASSES]
    )
    title = message(
        "Thresholds a class of {who}", who=message("{name} on {engine}", name=group.name, engine=result.cell.engine)
    )
    notes = [
        message("each class's own threshold keeps the accuracy among the validation texts answered with that class")
    ]
    if len(each_class) > MOST_CLASSES:
        notes.append(message("the {shown} most frequent of {all} classes", shown=MOST_CLASSES, all=len(each_class)))
    return [Table(title, columns, body, tuple(notes))]


def _class_columns(target: float) -> tuple[Column, Column, Column]:
    share = f"{target:.0%}".replace("%", " %")
    return numbers(f"{share} from"), numbers("automated"), numbers("right")


def _class_cells(found: Automation | None) -> tuple[str, str, str]:
    if found is None or not found.enough:
        return MISSING, MISSING, MISSING
    from_on = MISSING if found.threshold is None else figures.threshold(found.threshold)
    return from_on, *automated_cells(found)
