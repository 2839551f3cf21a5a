"""Shows a recipe's variants side by side, and what the training seed or the prompt alone decides."""

from __future__ import annotations

from statistics import mean, stdev

from bench.quality.stats import another_value
from bench.results.records import Quality
from reports.content.published import Published, published_cell, published_column
from reports.content.results import Group, TaskResults
from reports.content.series import varied_recipes
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

MINIMUM_SEEDS = 2
MINIMUM_PROMPTS = 3
PROMPT_AXIS = "prompt"

_SEED_NOTES = (
    message(
        "sd: standard deviation over seeds (n - 1), of the whole training and test; the ± of the quality table is over "
        "test texts of one training"
    ),
)


_PROMPT_NOTES = (
    message(
        "another prompt: where the macro F1 of one more prompt of this kind would fall (Student's prediction interval "
        "over these prompts, each on the same test texts); a lead within it is the prompt's luck"
    ),
)

_SAME_TEXTS = message("the same test texts in every row; ±: 95 % interval over test texts")


def study_tables(task: TaskResults) -> list[Table]:
    """One table a recipe that was varied, in the order of the study."""
    return [_variants(task, recipe, groups) for recipe, groups in varied_recipes(task).items()]


def _variants(task: TaskResults, recipe: str, groups: list[Group]) -> Table:
    published = Published(task)
    found = [published.find(group, ("accuracy",), setting=group.variant) for group in groups]
    columns: tuple[Column, ...] = (
        Column(task.study_axis or "variant"),
        *((Column("seed"),) if len({group.seed for group in groups}) > 1 else ()),
        numbers("trained on", "texts"),
        numbers("training"),
        numbers("macro F1"),
        numbers("accuracy"),
        numbers("vs first", "F1 points"),
        Column("status"),
    )
    first = next((group.shown.quality.macro_f1.value for group in groups if group.shown and group.shown.quality), None)
    rows: tuple[Row, ...] = tuple(_variant(group, first, seeds=len(columns) > 7) for group in groups)
    if any(found):
        columns = (*columns, published_column("published accuracy"))
        rows = tuple((*row, published_cell(figure)) for row, figure in zip(rows, found, strict=True))
    title = message("{study}: {recipe}", study=message(task.study or "Variants"), recipe=recipe)
    return Table(title, columns, rows, (_SAME_TEXTS, *published.notes(found)))


def _variant(group: Group, first: float | None, seeds: bool) -> Row:
    fit = group.fit
    quality = group.shown.quality if group.shown else None
    change = quality.macro_f1.value - first if quality and first is not None else None
    failed = next((result for result in group.results if not result.quality and result.reason), None)
    status = (
        message("{status}: {reason}", status=message(failed.status.value), reason=failed.reason) if failed else None
    )
    return (
        group.variant or MISSING,
        *((str(group.seed),) if seeds else ()),
        figures.count(fit.examples if fit else None),
        figures.duration(fit.alone_s if fit else None),
        figures.plus_minus(quality.macro_f1) if quality else MISSING,
        figures.plus_minus(quality.accuracy) if quality else MISSING,
        figures.points(change),
        message("OK") if quality or status is None else status,
    )


def seed_tables(task: TaskResults) -> list[Table]:
    """One row a recipe that was trained with several seeds."""
    columns = (
        Column("recipe"),
        numbers("seeds"),
        numbers("macro F1", "mean"),
        numbers("macro F1", "sd"),
        numbers("lowest"),
        numbers("highest"),
        numbers("accuracy", "mean"),
        numbers("accuracy", "sd"),
    )
    by_recipe: dict[str, list[Group]] = {}
    for group in task.groups:
        if group.shown and group.shown.quality:
            by_recipe.setdefault(group.method_name, []).append(group)
    rows = tuple(_seeds(recipe, groups) for recipe, groups in by_recipe.items() if len(groups) >= MINIMUM_SEEDS)
    return [Table("Training seeds", columns, rows, _SEED_NOTES)] if rows else []


def _seeds(recipe: str, groups: list[Group]) -> Row:
    qualities = [group.shown.quality for group in groups if group.shown and group.shown.quality]
    f1 = [quality.macro_f1.value for quality in qualities]
    accuracy = [quality.accuracy.value for quality in qualities]
    return (
        recipe,
        str(len(groups)),
        figures.score(mean(f1)),
        figures.score(stdev(f1)),
        figures.score(min(f1)),
        figures.score(max(f1)),
        figures.score(mean(accuracy)),
        figures.score(stdev(accuracy)),
    )


def prompt_tables(task: TaskResults) -> list[Table]:
    """One row a recipe that was asked in several wordings: how much of its score is the prompt's luck."""
    if task.study_axis != PROMPT_AXIS:
        return []
    columns = (
        Column("recipe"),
        numbers("prompts"),
        numbers("macro F1", "mean"),
        numbers("macro F1", "sd"),
        numbers("lowest"),
        numbers("highest"),
        numbers("another prompt", "95 %"),
        numbers("accuracy", "mean"),
    )
    found = {
        recipe: [group.shown.quality for group in groups if group.shown and group.shown.quality]
        for recipe, groups in varied_recipes(task).items()
    }
    rows = tuple(_prompts(recipe, each) for recipe, each in found.items() if len(each) >= MINIMUM_PROMPTS)
    return [Table("Prompts", columns, rows, _PROMPT_NOTES)] if rows else []


def _prompts(recipe: str, qualities: list[Quality]) -> Row:
    f1 = [quality.macro_f1.value for quality in qualities]
    low, high = another_value(f1)
    return (
        recipe,
        str(len(f1)),
        figures.score(mean(f1)),
        figures.score(stdev(f1)),
        figures.score(min(f1)),
        figures.score(max(f1)),
        f"{figures.score(max(0.0, low))} - {figures.score(min(1.0, high))}",
        figures.score(mean(quality.accuracy.value for quality in qualities)),
    )
