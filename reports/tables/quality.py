"""Shows who answers best, with intervals and shared ranks, and how the answers look."""

from __future__ import annotations

from dataclasses import replace

from bench.quality.chance import below_chance, right_in_other_order
from bench.results.records import Result
from reports.columns.column import Told, told_of
from reports.columns.leaderboard import result_table
from reports.content.results import Group, TaskResults
from reports.content.standing import Standing
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Table, with_column
from reports.render.words import joined, message

RANK_NOTE = message("rank: places the paired tests leave open; a common letter: not told apart")
INTERVAL_NOTE = message("±: the larger half of the 95 % interval over test texts")
_DETAILS = (
    message("one engine a classifier, the reference where it was run; macro averages"),
    message(
        "ECE: how far confidence is from accuracy, over the answers that name a class; valid: their share, the others "
        "count as wrong"
    ),
)


def quality_tables(task: TaskResults, standing: Standing) -> list[Table]:
    """One row a cell that answered the test texts, best first."""
    told = ordered_answers(task, standing)
    return [result_table("Quality", "quality", told, _notes(task))] if told else []


def best_result(task: TaskResults, standing: Standing) -> tuple[Group, Result] | None:
    """The first row of the quality table; None where nothing was answered."""
    best = next(iter(ordered_answers(task, standing)), None)
    return (best.group, best.result) if best else None


def ordered_answers(task: TaskResults, standing: Standing, pareto: frozenset[str] = frozenset()) -> list[Told]:
    """Results with answers, in the order of their ranking; those without a rank last."""
    answered = (told for told in told_of(task, standing, pareto) if told.result.quality)
    return sorted(answered, key=lambda told: standing.places.get(told.result.cell.id, len(standing.places)))


def quality_notes(task: TaskResults) -> tuple[str, ...]:
    """What an interval is worth, and what the averages over classes leave out."""
    qualities = [result.quality for _, result in task.cells() if result.quality]
    notes: list[str] = [INTERVAL_NOTE]
    if needed := max((quality.macro_f1.items_needed or 0 for quality in qualities), default=0):
        few = min(quality.n for quality in qualities if quality.macro_f1.items_needed)
        notes.append(
            message(
                "±?: no interval of macro F1 holds with {few:,} texts; it needs about {needed:,}",
                few=few,
                needed=needed,
            )
        )
    for untested, classes in sorted({(each.untested_classes, len(each.per_class)) for each in qualities}):
        if untested:
            notes.append(
                message(
                    "{untested} of {classes} classes have no test text: macro averages are over the others",
                    untested=untested,
                    classes=classes,
                )
            )
    return tuple(notes)


def _notes(task: TaskResults) -> tuple[str, ...]:
    seeds = {group.seed for group in task.groups}
    notes: list[str] = [RANK_NOTE, *quality_notes(task)]
    counts = {result.quality.n for _, result in task.cells() if result.quality}
    if counts and counts != {task.data.full_sizes.test}:
        shown = joined(" and ", map(figures.count, sorted(counts)))
        notes.append(
            message("texts: {shown} of {all:,} test texts answered", shown=shown, all=task.data.full_sizes.test)
        )
    if len(counts) > 1:
        notes.append(message("results that answered other texts are compared on those that both answered"))
    stand_ins = dict.fromkeys(
        message(
            "{recipe}: {small} stands in for {published}; not a reproduction",
            recipe=group.variant_of or group.recipe,
            small=group.short_base,
            published=group.stands_for,
        )
        for group in task.groups
        if group.stands_for and group.shown
    )
    notes += [*_below_chance(task), *stand_ins]
    if len(seeds) == 1:
        notes.append(message("1 seed: every classifier was trained once; a rank is the classifier's, not its method's"))
    return tuple(notes)


def _below_chance(task: TaskResults) -> dict[str, None]:
    """A warning for each classifier that guessing would beat, or that other places of its classes would mend."""
    other = dict.fromkeys(
        message(
            "{name}: right in {share:.1%} of {texts:,} texts, but in {other:.1%} if its classes were in another order: "
            "are the labels in another order?",
            name=group.name,
            share=row.quality.accuracy.value,
            texts=row.quality.n,
            other=share,
        )
        for group, row in task.cells()
        if row.quality and not below_chance(row.quality) and (share := right_in_other_order(row.quality))
    )
    return other | dict.fromkeys(
        message(
            "{name}: right in {share:.1%} of {texts:,} texts, significantly less than guessing among {classes} classes "
            "(p = {p:.1g}): are the labels in another order?",
            name=group.name,
            share=result.quality.accuracy.value,
            texts=result.quality.n,
            classes=len(result.quality.per_class),
            p=p_value,
        )
        for group, result in task.cells()
        if result.quality and (p_value := below_chance(result.quality))
    )


def detail_tables(task: TaskResults) -> list[Table]:
    """One row a trained classifier: what it is, and how its answers look beyond right and wrong."""
    told = [Told(task, group, group.shown) for group in task.groups if group.shown]
    return [_classifiers(told), _answers(told)] if told else []


def _classifiers(told: list[Told]) -> Table:
    groups = [each.group for each in told]
    methods = [group.method_name for group in groups]
    notes = dict.fromkeys(
        message("{name}: {note}", name=group.name, note=note)
        for group in groups
        if group.fit
        for note in group.fit.notes
    )
    table = result_table("Classifiers", "classifiers", told, tuple(notes))
    table = with_column(table, Column("seed"), (_seed(group, methods.count(group.method_name)) for group in groups))
    if not any(group.system for group in groups):
        return table
    return replace(
        table,
        columns=(Column("system"), *table.columns),
        rows=tuple((group.system or MISSING, *row) for group, row in zip(groups, table.rows, strict=True)),
        notes=(*table.notes, message("system: the published one that the recipe is (A1 to D2; bench list --recipes)")),
    )


def _seed(group: Group, seeds: int) -> str:
    return message("1 seed") if seeds == 1 else message("s{seed} of {seeds}", seed=group.seed, seeds=seeds)


def _answers(told: list[Told]) -> Table:
    """How written answers ended has columns where some of them did not end by themselves."""
    qualities = [each.result.quality for each in told if each.result.quality]
    needed = max(quality.macro_precision.items_needed or 0 for quality in qualities)
    lacking = (
        [message("±?: an interval of macro precision needs about {needed:,} texts", needed=needed)] if needed else []
    )
    return result_table("Answers in detail", "answers", told, (*_DETAILS, *lacking, *_free_notes(told)))


def _free_notes(told: list[Told]) -> tuple[str, ...]:
    """Each constrained classifier's certificate against free writing."""
    found = [(each.group.name, each.result.free_writing) for each in told if each.result.free_writing]
    return tuple(
        message(
            "{name}: constrained; as free: equal labels on the {both:,} of {items:,} texts for which free writing "
            "names a class too ({free} valid), {required} pass: {verdict}",
            name=name,
            both=free.both_valid,
            items=free.items,
            free=figures.floor_percent(free.free_valid_share),
            required=figures.percent(free.required),
            verdict=message("passed") if free.passed else message("CHANGED"),
        )
        for name, free in found
    )
