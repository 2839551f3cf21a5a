"""The quality tables: who answers best, with intervals and shared ranks, and how the answers look."""

from __future__ import annotations

from bench.quality.chance import below_chance
from bench.results.records import Quality, Result, Status
from reports.content.rows import Group, TaskRows
from reports.content.speed import precision_of
from reports.content.standing import Standing
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import joined, message

_COLUMNS = (
    numbers("rank"),
    Column("group"),
    Column("classifier"),
    Column("base model", from_width=110),
    Column("engine"),
    Column("prec."),
    numbers("macro F1"),
    numbers("F1 95 %", from_width=130),
    numbers("accuracy"),
    numbers("acc. 95 %", from_width=130),
    numbers("texts"),
    Column("status"),
)

RANK_NOTE = message(
    "rank: the places that the paired tests leave open to a classifier; rows with a letter of their group in common "
    "cannot be told apart"
)
INTERVAL_NOTE = message("±: the larger half of the 95 % interval over test texts")
_DETAILS = (
    message("one engine a classifier, the reference where it was run; macro averages"),
    message(
        "ECE: how far confidence is from accuracy, over the answers that name a class; valid: their share, the others "
        "count as wrong"
    ),
)


def quality_tables(task: TaskRows, standing: Standing) -> list[Table]:
    """One row a cell that answered the test texts, best first."""
    ordered = ordered_rows(task, standing)
    rows = tuple(_row(standing, group, row, row.quality) for group, row in ordered if row.quality)
    return [Table("Quality", _COLUMNS, rows, _notes(task))] if rows else []


def best_row(task: TaskRows, standing: Standing) -> tuple[Group, Result] | None:
    """The first row of the quality table; None where nothing was answered."""
    return next(iter(ordered_rows(task, standing)), None)


def ordered_rows(task: TaskRows, standing: Standing) -> list[tuple[Group, Result]]:
    """Rows with answers, in the order of their ranking; rows without a rank last."""
    answered = ((group, row) for group, row in task.cells() if row.quality)
    return sorted(answered, key=lambda entry: standing.places.get(entry[1].cell.id, len(standing.places)))


def _row(standing: Standing, group: Group, row: Result, quality: Quality) -> Row:
    return (
        standing.rank_range(row.cell.id) or MISSING,
        standing.letters.get(row.cell.id, MISSING),
        group.name,
        group.short_base or MISSING,
        row.cell.engine or MISSING,
        precision_of(row),
        figures.plus_minus(quality.macro_f1),
        figures.bounds(quality.macro_f1),
        figures.plus_minus(quality.accuracy),
        figures.bounds(quality.accuracy),
        figures.count(quality.n),
        status_mark(row),
    )


def status_mark(row: Result) -> str:
    """Speed verdicts too: a row is bought whole."""
    marks: list[str] = []
    if row.parity is not None and not row.parity.passed:
        marks.append(message("changes answers"))
    if row.quality and below_chance(row.quality):
        marks.append(message("below chance"))
    if row.status is not Status.OK:
        marks.append(message("speed {status}", status=message(row.status.value)))
    return joined(", ", marks or [message("OK")])


def quality_notes(task: TaskRows) -> tuple[str, ...]:
    """What an interval is worth, and what the averages over classes leave out."""
    qualities = [row.quality for _, row in task.cells() if row.quality]
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


def _notes(task: TaskRows) -> tuple[str, ...]:
    seeds = {group.seed for group in task.groups}
    notes: list[str] = [RANK_NOTE, *quality_notes(task)]
    counts = {row.quality.n for _, row in task.cells() if row.quality}
    if counts and counts != {task.data.full_sizes.test}:
        shown = joined(" and ", map(figures.count, sorted(counts)))
        notes.append(
            message("texts: {shown} of {all:,} test texts answered", shown=shown, all=task.data.full_sizes.test)
        )
    if len(counts) > 1:
        notes.append(message("rows that answered other texts are compared on those that both answered"))
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


def _below_chance(task: TaskRows) -> dict[str, None]:
    """A warning for each classifier that guessing would beat."""
    return dict.fromkeys(
        message(
            "{name}: right in {share:.1%} of {texts:,} texts, significantly less than guessing among {classes} classes "
            "(p = {p:.1g}): are the labels in another order?",
            name=group.name,
            share=row.quality.accuracy.value,
            texts=row.quality.n,
            classes=len(row.quality.per_class),
            p=p_value,
        )
        for group, row in task.cells()
        if row.quality and (p_value := below_chance(row.quality))
    )


_ENDINGS = (("cut off", "cut_off_share"), ("empty", "empty_share"), ("refused", "refused_share"))


def detail_tables(task: TaskRows) -> list[Table]:
    """One row a trained classifier: what it is, and how its answers look beyond right and wrong."""
    shown = [group for group in task.groups if group.shown]
    if not shown:
        return []
    return [_classifiers(shown), _answers(shown)]


def _classifiers(groups: list[Group]) -> Table:
    published = any(group.row for group in groups)
    columns = (
        *((Column("row"),) if published else ()),
        Column("classifier"),
        Column("method", from_width=100),
        Column("base model"),
        Column("weights from", from_width=130),
        numbers("trained on", "texts"),
        numbers("size", "M params"),
        numbers("trainable", from_width=90),
        Column("seed"),
    )
    methods = [group.method_name for group in groups]
    rows = []
    for group in groups:
        fit = group.fit
        total = fit.total_parameters if fit else None
        trainable = fit.trainable_parameters / total if fit and total and fit.trainable_parameters is not None else None
        seeds = methods.count(group.method_name)
        rows.append(
            (
                *((group.row or MISSING,) if published else ()),
                group.name,
                group.method,
                group.base_model or MISSING,
                next((row.base_origin for row in group.rows if row.base_origin), MISSING),
                figures.count(fit.examples if fit else None),
                figures.number(total / 1e6 if total else None),
                figures.percent(trainable),
                message("1 seed") if seeds == 1 else message("s{seed} of {seeds}", seed=group.seed, seeds=seeds),
            )
        )
    notes = dict.fromkeys(
        message("{name}: {note}", name=group.name, note=note)
        for group in groups
        if group.fit
        for note in group.fit.notes
    )
    if published:
        notes[message("row: the published system that the recipe is (A1 to D2; bench list --recipes)")] = None
    return Table("Classifiers", columns, tuple(rows), tuple(notes))


def _answers(groups: list[Group]) -> Table:
    """How written answers ended has columns where something is written; refused ones where there are some."""
    qualities = [group.shown.quality for group in groups if group.shown and group.shown.quality]
    written = any(quality.empty_share is not None for quality in qualities)
    refused = any(quality.refused_share for quality in qualities)
    endings = _ENDINGS[: written * (len(_ENDINGS) - 1)] + _ENDINGS[len(_ENDINGS) - refused :]
    constrained = any(group.shown.free_writing for group in groups if group.shown)
    columns = (
        Column("classifier"),
        numbers("precision"),
        numbers("recall"),
        numbers("ECE"),
        numbers("Brier"),
        numbers("valid"),
        *(numbers(title) for title, _ in endings),
        *((numbers("as free"),) if constrained else ()),
        numbers("truncated"),
        numbers("tokens", "mean"),
    )
    rows = tuple(
        (
            group.name,
            figures.plus_minus(quality.macro_precision),
            figures.plus_minus(quality.macro_recall),
            figures.score(quality.ece),
            figures.score(quality.brier),
            figures.floor_percent(quality.valid_share),
            *(figures.percent(getattr(quality, name)) for _, name in endings),
            *((_as_free(group),) if constrained else ()),
            figures.percent(quality.truncated_share),
            figures.number(quality.tokens_mean),
        )
        for group in groups
        if (quality := group.shown.quality if group.shown else None)
    )
    needed = max(quality.macro_precision.items_needed or 0 for quality in qualities)
    lacking = (
        [message("±?: an interval of macro precision needs about {needed:,} texts", needed=needed)] if needed else []
    )
    return Table("Answers in detail", columns, rows, (*_DETAILS, *lacking, *_free_notes(groups)))


def _as_free(group: Group) -> str:
    free = group.shown.free_writing if group.shown else None
    return figures.floor_percent(free.equal_labels) if free else MISSING


def _free_notes(groups: list[Group]) -> tuple[str, ...]:
    """Each constrained classifier's certificate against free writing."""
    found = [(group.name, group.shown.free_writing) for group in groups if group.shown and group.shown.free_writing]
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
