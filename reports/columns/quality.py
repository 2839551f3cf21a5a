"""Tells what a classifier is, how well it answers, and whether an engine keeps its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.quality.chance import below_chance, right_in_other_order
from bench.quality.selective import Automation
from bench.results.certificates import Parity
from bench.results.records import Result, Status
from reports.columns.column import Layouts, Place, ResultColumn, Told, interval_names, split_interval
from reports.content.automation import automation_of, coverage_cell
from reports.content.results import TaskResults
from reports.content.scope import scope_notes, scope_of, scope_words
from reports.content.speed import answers_mark, precision_of
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, numbers
from reports.render.words import joined, message

_INTERVAL = message("±: the larger half of the 95 % interval over test texts")


def _of_quality(name: str) -> Callable[[Told], Any]:
    return lambda told: getattr(told.result.quality, name, None)


def _of_parity(name: str) -> Callable[[Told], Any]:
    return lambda told: getattr(told.result.parity, name, None)


def _score(key: str, heading: str) -> ResultColumn:
    return ResultColumn(
        key,
        _of_quality(key),
        numbers(heading),
        figures.plus_minus,
        fields=interval_names(key),
        split=split_interval,
        high=True,
        explained=_INTERVAL,
    )


def short_base(base_model: str) -> str:
    """A base model without its owner."""
    return base_model.rstrip("/").rsplit("/", 1)[-1]


def status_mark(result: Result) -> str:
    """What speaks against a result, speed verdicts too: it is bought whole."""
    marks: list[str] = []
    if result.parity is not None and not result.parity.passed:
        marks.append(message("changes answers"))
    if result.quality and below_chance(result.quality):
        marks.append(message("below chance"))
    elif result.quality and right_in_other_order(result.quality):
        marks.append(message("other order?"))
    if result.status is not Status.OK:
        marks.append(message("speed {status}", status=message(result.status.value)))
    elif any(summary.beside_others for summary in result.load.values()):
        marks.append(message("speed beside others"))
    return joined(", ", marks or [message("OK")])


def _rank(told: Told) -> tuple[int, str] | None:
    place = told.standing.rank_range(told.result.cell.id)
    return (told.standing.ranks[told.result.cell.id], place) if place else None


def _precision(told: Told) -> tuple[str, int | None, str] | None:
    """As it is named, the bits of int8 weights, and as it is printed."""
    session, precision = told.result.session, told.result.cell.precision
    bits = session.details.get("weight_bits") if session else None
    return (precision, bits, precision_of(told.result)) if precision else None


def _answers(told: Told) -> tuple[str, str | None] | None:
    """What its certificate says, and the letters of what it was measured on; None where there is nothing to mark."""
    mark, letters = answers_mark(told.result), scope_of(told.result)
    if mark == MISSING and letters is None:
        return None
    return (_without_certificate(told) if mark == MISSING else mark), letters


def _marked(answers: tuple[str, str | None]) -> str:
    mark, letters = answers
    return joined("", (mark, f" ({letters})")) if letters else mark


def _without_certificate(told: Told) -> str:
    return message("no certificate") if told.result.quality else MISSING


def _explained_answers(task: TaskResults) -> str:
    return joined("; ", (_ANSWERS, *scope_notes(result for _, result in task.cells())))


_ANSWERS = message(
    "same: the engine passed its certificate against the reference engine; CHANGED: it gives other answers"
)
_OF_RESULT = (
    ResultColumn(
        "rank",
        _rank,
        numbers("rank"),
        lambda rank: rank[1],
        fields=("rank", "rank_range"),
        split=tuple,
        explained=message("the places that the paired tests leave open to the result's classifier"),
    ),
    ResultColumn(
        "group",
        lambda told: told.standing.letters.get(told.result.cell.id),
        Column("group"),
        explained=message("results with a letter in common cannot be told apart by the paired tests"),
    ),
    ResultColumn("classifier", lambda told: told.group.name, Column("classifier")),
    ResultColumn("method", lambda told: told.group.method, Column("method")),
    ResultColumn("base_model", lambda told: told.group.base_model, Column("base model"), short_base),
    ResultColumn("base_origin", lambda told: told.result.base_origin, Column("weights from")),
    ResultColumn("engine", lambda told: told.result.cell.engine, Column("engine")),
    ResultColumn(
        "precision",
        _precision,
        Column("prec."),
        lambda precision: precision[2],
        fields=("precision", "weight_bits"),
        split=lambda precision: precision[:2],
    ),
    ResultColumn(
        "status",
        lambda told: told.result.status.value,
        Column("status"),
        message,
        warns=lambda text: text != Status.OK,
    ),
    ResultColumn("reason", lambda told: told.result.reason, Column("reason")),
    ResultColumn("marks", lambda told: status_mark(told.result), Column("status")),
    ResultColumn(
        "pareto",
        lambda told: told.result.cell.id in told.pareto,
        Column("Pareto"),
        lambda on_line: message("yes") if on_line else "",
    ),
    ResultColumn(
        "answers",
        _answers,
        Column("answers"),
        _marked,
        instead=_without_certificate,
        split=lambda answers: (str(_marked(answers)),),
        explained=_explained_answers,
        warns=lambda text: text.partition(" (")[0] not in {"same", MISSING},
    ),
    ResultColumn("answers_mark", lambda told: scope_of(told.result), Column("mark")),
    ResultColumn("answers_scope", lambda told: scope_words(told.result)),
)

_OF_QUALITY = (
    _score("macro_f1", "macro F1"),
    _score("accuracy", "accuracy"),
    _score("macro_precision", "precision"),
    _score("macro_recall", "recall"),
    ResultColumn("n", _of_quality("n"), numbers("texts"), figures.count),
    ResultColumn("ece", _of_quality("ece"), numbers("ECE"), figures.score),
    ResultColumn("brier", _of_quality("brier"), numbers("Brier"), figures.score),
    ResultColumn("valid_share", _of_quality("valid_share"), numbers("valid"), figures.floor_percent),
    ResultColumn("cut_off_share", _of_quality("cut_off_share"), numbers("cut off"), figures.percent),
    ResultColumn("empty_share", _of_quality("empty_share"), numbers("empty"), figures.percent),
    ResultColumn("refused_share", _of_quality("refused_share"), numbers("refused"), figures.percent),
    ResultColumn(
        "as_free",
        lambda told: told.result.free_writing,
        numbers("as free"),
        lambda free: figures.floor_percent(free.equal_labels),
        fields=("as_free_equal_labels", "as_free_texts", "as_free_passed", "free_valid_share"),
        split=lambda free: (free.equal_labels, free.both_valid, free.passed, free.free_valid_share),
    ),
    ResultColumn("truncated_share", _of_quality("truncated_share"), numbers("truncated"), figures.percent),
    ResultColumn(
        "truncated_accuracy", _of_quality("truncated_accuracy"), numbers("accuracy", "truncated"), figures.score
    ),
    ResultColumn("tokens_mean", _of_quality("tokens_mean"), numbers("tokens", "mean"), figures.number),
)


def _split_automation(found: Automation) -> tuple[float | None, ...]:
    right = found.accuracy.value if found.accuracy else None
    return (*split_interval(found.coverage), right, found.threshold)


_OF_AUTOMATION = (
    ResultColumn(
        "automated_99",
        lambda told: automation_of(told.task, told.result, 0.99),
        numbers("at 99 %"),
        coverage_cell,
        fields=(*interval_names("automated_99"), "automated_99_right", "automated_99_from"),
        split=_split_automation,
        high=True,
        explained=message(
            "share of the test texts that it answers alone at 99 % accuracy, by a threshold of confidence chosen on "
            "validation, or on half of the test texts where validation was not asked; in brackets: the accuracy that "
            "came out, where it is lower"
        ),
    ),
)


def _same_tokens(same: bool) -> str:
    return message("same") if same else message("DIFFER")


def _certificate(parity: Parity) -> str:
    if not parity.passed:
        return message("changes answers")
    return message("passed?") if unsure(parity) else message("passed")


def unsure(parity: Parity) -> bool:
    """Whether it passed on too few texts; certificates of before the bound was stored do not say."""
    return parity.passed and parity.changed_at_most is not None and not parity.judged


_OF_PARITY = (
    ResultColumn("parity_reference", _of_parity("reference")),
    ResultColumn("parity_texts", _of_parity("items"), numbers("texts"), figures.count),
    ResultColumn("parity_same_tokens", _of_parity("same_tokens"), Column("tokens"), _same_tokens),
    ResultColumn("parity_equal_labels", _of_parity("equal_labels"), numbers("equal labels"), figures.floor_percent),
    ResultColumn("parity_required", _of_parity("required"), numbers("required"), figures.floor_percent),
    ResultColumn(
        "parity_changed_at_most", _of_parity("changed_at_most"), numbers("changed", "at most"), figures.ceil_percent
    ),
    ResultColumn(
        "parity_largest_probability_difference",
        _of_parity("largest_probability_difference"),
        numbers("largest dp"),
        figures.number,
    ),
    ResultColumn("parity_mcnemar_p", _of_parity("mcnemar_p"), numbers("p"), figures.p_value),
    ResultColumn(
        "parity_passed",
        lambda told: told.result.parity,
        Column("verdict"),
        _certificate,
        fields=("parity_passed", "parity_judged"),
        split=lambda parity: (parity.passed, parity.judged),
    ),
)

COLUMNS = (*_OF_RESULT, *_OF_QUALITY, *_OF_AUTOMATION, *_OF_PARITY)

LAYOUTS: Layouts = {
    "quality": (
        Place("rank"),
        Place("group"),
        Place("classifier"),
        Place("base_model", from_width=110),
        Place("engine"),
        Place("precision"),
        Place("macro_f1"),
        Place("macro_f1", numbers("F1 95 %"), from_width=130, show=figures.bounds),
        Place("accuracy"),
        Place("accuracy", numbers("acc. 95 %"), from_width=130, show=figures.bounds),
        Place("n"),
        Place("answers_mark", known=True),
        Place("marks"),
    ),
    "answers": (
        Place("classifier"),
        Place("macro_precision"),
        Place("macro_recall"),
        Place("ece"),
        Place("brier"),
        Place("valid_share"),
        Place("cut_off_share", known=True),
        Place("empty_share", known=True),
        Place("refused_share", optional=True),
        Place("as_free", known=True),
        Place("truncated_share"),
        Place("truncated_accuracy", optional=True),
        Place("tokens_mean"),
    ),
    "parity": (
        Place("classifier"),
        Place("engine"),
        Place("precision"),
        Place("parity_texts"),
        Place("parity_same_tokens"),
        Place("parity_equal_labels"),
        Place("parity_required"),
        Place("parity_changed_at_most"),
        Place("parity_largest_probability_difference"),
        Place("parity_mcnemar_p", from_width=90),
        Place("parity_passed"),
    ),
}
