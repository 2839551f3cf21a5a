"""Makes the leaderboard of a stored run: one section a task, as markdown, for a terminal, and as JSON-able data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

from bench.quality.across import Across
from bench.results.records import Evidence, StoredRun
from bench.types import SCHEMA_VERSION
from reports.brief import brief_section
from reports.content.across import across_suites
from reports.content.provenance import data_notes, lead, provenance, title
from reports.content.ranking_lines import ranking_lines
from reports.content.results import TaskResults, tasks_of
from reports.content.scope import scope_notes
from reports.content.speed import crowd_notes
from reports.content.standing import Standing, standing_of
from reports.export.records import json_able, task_record
from reports.html.page import PageTask, render_page, table_record
from reports.plots import Plot, plots_of
from reports.rank_plot import caption, draw_ranks, rank_plot_path
from reports.render.markdown import clean, escape, to_html
from reports.render.table import Table, say_table, to_markdown, to_rich
from reports.render.words import ENGLISH, message, say, say_marked
from reports.tables.across import across_table
from reports.tables.automation import automation_tables
from reports.tables.before_after import before_after_tables
from reports.tables.cascades import cascade_tables
from reports.tables.classes import class_tables
from reports.tables.comparisons import comparison_tables
from reports.tables.costs import cost_tables
from reports.tables.curves import curve_tables
from reports.tables.doubtful import doubtful_tables
from reports.tables.ensembles import ensemble_tables
from reports.tables.failures import failure_tables, problems_of
from reports.tables.first_texts import first_texts_tables
from reports.tables.methods import method_tables
from reports.tables.overview import overview_tables
from reports.tables.parity import parity_tables
from reports.tables.published import published_tables
from reports.tables.quality import best_result, detail_tables, quality_tables
from reports.tables.server import server_tables
from reports.tables.slices import slice_tables
from reports.tables.speed import rps_tables, stage_tables
from reports.tables.studies import prompt_tables, seed_tables, study_tables
from reports.tables.thinking import thinking_tables
from reports.tables.times import time_tables

MOST_PRINTED_TABLES = 40


@dataclass(frozen=True)
class Section:
    """One task: who is ahead, where the figures come from, the tables."""

    title: str
    lead: str
    provenance: tuple[str, ...]
    rankings: tuple[str, ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    board: Table | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class AcrossSuites:
    """The methods of a run over all its suites: the comparison, its table and what its picture shows."""

    across: Across
    table: Table
    caption: str

    def page_record(self) -> dict[str, Any]:
        """What the page's script draws."""
        methods = self.across.rows
        return {
            "table": table_record(self.table),
            "caption": clean(self.caption),
            "methods": [
                {"name": clean(method.name), "mean": method.mean_rank, "low": method.low, "high": method.high}
                for method in methods
            ],
            "groups": [[clean(name) for name in group] for group in self.across.groups],
            "difference": self.across.critical_difference,
        }


@dataclass(frozen=True)
class Leaderboard:
    """Everything a run has to say, in one language; `record` is the same as numbers."""

    sections: tuple[Section, ...]
    record: dict[str, Any]
    tasks: tuple[tuple[TaskResults, Standing], ...] = ()
    language: str = ENGLISH
    over_all: AcrossSuites | None = None

    def plots(self) -> dict[str, bytes]:
        """SVG files by their path beside the leaderboard, which shows them."""
        drawn = {plot.path: plot.draw() for section in self.sections for plot in section.plots}
        if self.over_all:
            drawn[rank_plot_path(self.language)] = draw_ranks(self.over_all.across, self.language)
        return drawn

    @cached_property
    def markdown(self) -> str:
        """GitHub-flavoured markdown that ends in a newline."""
        parts = [_section_markdown(section, self.language) for section in self.sections]
        if self.over_all:
            table = self.over_all.table
            picture = f"![{escape(self.over_all.caption)}]({rank_plot_path(self.language)})"
            parts += [to_markdown(table, level=2), picture]
        return "\n\n".join(parts) + "\n"

    def page(self, evidence: Evidence) -> str:
        """One HTML file that shows the same, and what `evidence` holds beside the figures."""
        entries = zip(self.sections, self.tasks, strict=True)
        return render_page(
            [PageTask(*_said(section), task, standing) for section, (task, standing) in entries],
            evidence,
            self.language,
            self.over_all.page_record() if self.over_all else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: every result's full figures, None where there is none."""
        return self.record

    def renderables(self, width: int) -> Iterator[RenderableType]:
        """The same for a terminal of `width` columns."""
        for section in self.sections:
            yield from _section_rich(section, width, self.language)
        yield from self._over_all_rich(width)

    def _repr_markdown_(self) -> str:
        """What a notebook shows: who is ahead, and the first table of each task."""
        parts = (_section_markdown(shown, self.language) for shown in map(_first_table, self.sections))
        return "\n\n".join(parts) + "\n"

    def _repr_html_(self) -> str:
        """The same for notebooks that prefer HTML, which is what most show."""
        return to_html(self._repr_markdown_())

    def print(self, console: Console, full: bool = True) -> None:
        """Print on a console, as wide as it is: everything, or one screen a task."""
        for renderable in self.renderables(console.width) if full else self.brief(console.width):
            console.print(renderable)

    def brief(self, width: int) -> Iterator[RenderableType]:
        """One screen a task for a terminal of `width` columns."""
        for section in self.sections:
            board = section.board
            table = replace(board, notes=(*board.notes[:1], *section.marks)) if board else None
            yield from brief_section(
                section.title,
                section.lead,
                section.notes,
                section.rankings,
                table,
                section.problems,
                width,
                self.language,
            )
        yield from self._over_all_rich(width)

    def _over_all_rich(self, width: int) -> Iterator[RenderableType]:
        if self.over_all:
            yield Rule()
            yield from to_rich(self.over_all.table, width, self.language)


def render_leaderboard(run: StoredRun, language: str = ENGLISH) -> Leaderboard:
    """The leaderboard of a stored run; reads nothing but `run`, so the same run gives the same page."""
    tasks = [(task, standing_of(task)) for task in tasks_of(run)]
    record = {
        "schema_version": SCHEMA_VERSION,
        "settings": run.settings.model_dump(mode="json"),
        "environment": dict(run.environment),
        "tasks": [task_record(task, standing) for task, standing in tasks],
    }
    sections = tuple(_section(run, task, standing, language) for task, standing in tasks)
    found = across_suites([task for task, _ in tasks])
    over_all = _over_all(*found, language) if found else None
    if over_all:
        record["across"] = over_all.across.model_dump(mode="json")
    return Leaderboard(sections, json_able(record), tuple(tasks), language, over_all)


def _over_all(across: Across, left_out: tuple[str, ...], language: str) -> AcrossSuites:
    return AcrossSuites(across, say_table(across_table(across, left_out), language), say(caption(across), language))


def _mark_notes(task: TaskResults) -> tuple[str, ...]:
    """What the letters and stars beside figures mean, which no screen may leave out."""
    results = [result for _, result in task.cells()]
    return (*scope_notes(results), *crowd_notes(results))


def _section(run: StoredRun, task: TaskResults, standing: Standing, language: str) -> Section:
    return Section(
        title=say_marked(title(task.data), language),
        lead=say(lead(task.data, len(list(task.cells())), run.settings, run.environment), language),
        provenance=tuple(say(line, language) for line in provenance(task.data, run.settings, run.environment)),
        rankings=tuple(say(line, language) for line in ranking_lines(task, standing)),
        tables=tuple(say_table(table, language) for table in tables_of(task, standing)),
        plots=tuple(plots_of(task, language)),
        notes=tuple(say(line, language) for line in data_notes(task.data)),
        problems=tuple(say(line, language) for line in problems_of(task)),
        board=next((say_table(table, language) for table in _boards(task, standing)), None),
        marks=tuple(say(line, language) for line in _mark_notes(task)),
    )


def _boards(task: TaskResults, standing: Standing) -> list[Table]:
    """The leaderboard, or where nothing has a quality the rates."""
    return overview_tables(task, standing) or rps_tables(task)


def tables_of(task: TaskResults, standing: Standing) -> tuple[Table, ...]:
    """Every table of a task, in English, in the order of the page."""
    best = best_result(task, standing)
    return (
        *overview_tables(task, standing),
        *quality_tables(task, standing),
        *automation_tables(task, standing),
        *cascade_tables(task),
        *ensemble_tables(task),
        *doubtful_tables(task),
        *published_tables(task),
        *study_tables(task),
        *prompt_tables(task),
        *first_texts_tables(task),
        *seed_tables(task),
        *before_after_tables(task),
        *thinking_tables(task),
        *rps_tables(task),
        *server_tables(task),
        *cost_tables(task),
        *method_tables(task),
        *parity_tables(task),
        *failure_tables(task),
        *time_tables(task),
        *detail_tables(task),
        *slice_tables(task, standing),
        *(class_tables(*best) if best else ()),
        *comparison_tables(task, standing),
        *curve_tables(task),
        *stage_tables(task),
    )


def _said(section: Section) -> tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[Table, ...]]:
    return section.title, section.lead, section.provenance, section.rankings, section.tables


def _section_markdown(section: Section, language: str) -> str:
    parts = [f"## {escape(section.title)}", _list(section.provenance)]
    if section.rankings:
        parts += [f"### {say('Ranking', language)}", _list(section.rankings)]
    pictures = [f"![{escape(plot.title)}]({quote(plot.path)})" for plot in section.plots]
    return "\n\n".join([*parts, *map(to_markdown, section.tables), *pictures])


def _first_table(section: Section) -> Section:
    """The section as far as a notebook shows it; its pictures lie in the run folder."""
    return replace(section, tables=section.tables[:1], plots=())


def _list(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _section_rich(section: Section, width: int, language: str) -> Iterator[RenderableType]:
    yield Rule()
    yield Text(clean(section.title), style="bold")
    for line in section.provenance:
        yield Text(f"- {clean(line)}", style="dim")
    if section.rankings:
        yield Text(f"\n{say('Ranking', language)}", style="bold")
        for line in section.rankings:
            yield Text(f"- {clean(line)}")
    for table in section.tables[:MOST_PRINTED_TABLES]:
        yield Text()
        yield from to_rich(table, width, language)
    hidden = len(section.tables) - MOST_PRINTED_TABLES
    if hidden > 0:
        more = message("{hidden:,} more tables are in the markdown file", hidden=hidden)
        yield Text(f"\n{say(more, language)}", style="dim")
