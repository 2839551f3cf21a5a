"""Tells of a scenario's speed: rates, latencies, where the time goes, and how near the machine's limits it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.results.speed_records import LoadRun, LoadSummary
from bench.types import Scenario
from reports.columns.column import Layouts, Place, ResultColumn, Told
from reports.content.results import TaskResults
from reports.content.speed import (
    SCENARIOS,
    STAR,
    against_reference,
    beside_others,
    median_run,
    price_per_million,
    usable,
    verdict,
)
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, numbers
from reports.render.words import message

RATES = {"single": numbers("RPS", "req/s"), "offline": numbers("rate", "texts/s"), "server": numbers("rate", "req/s")}
WORDS = {
    "single": (message("one request at a time"), message("requests/s")),
    "offline": (message("all texts at once"), message("texts/s")),
    "server": (message("the highest Poisson rate within the latency limit"), message("requests/s")),
}
_STAGES = ("tokenise_s", "queue_s", "forward_s", "post_s")


def _explained(scenario: Scenario) -> str:
    words, unit = WORDS[scenario]
    return message("{words}, {unit}", words=words, unit=unit)


def _price(task: TaskResults) -> str:
    return message(
        "price of a million texts, all at once, at {price:g} an hour, machine always busy", price=task.price_per_hour
    )


def _range(summary: LoadSummary) -> str:
    if not summary.valid or len(summary.runs) < 2:
        return MISSING
    return figures.span(summary.rate_low_rps, summary.rate_high_rps)


def _star(scenario: Scenario) -> Callable[[Told], str]:
    return lambda told: STAR if beside_others(told.result, scenario) else ""


def _rates(scenario: Scenario) -> tuple[ResultColumn, ...]:
    unit = RATES[scenario].unit

    def believed(told: Told) -> LoadSummary | None:
        return usable(told.result, scenario)

    def of_summary(name: str) -> Callable[[Told], Any]:
        return lambda told: getattr(believed(told), name, None)

    def unstable_range(told: Told) -> str:
        """Shown for unstable results too: it says what was wrong with them."""
        summary = told.result.load.get(scenario)
        return _range(summary) if summary else MISSING

    return (
        ResultColumn(
            f"{scenario}_rate_rps",
            of_summary("rate_rps"),
            RATES[scenario],
            figures.number,
            instead=lambda told: message(verdict(told.result, scenario)),
            high=True,
            explained=_explained(scenario),
            flag=_star(scenario),
            warns=lambda text: text in {"INVALID", "UNSTABLE"} or text.endswith(STAR),
        ),
        ResultColumn(
            f"{scenario}_range_rps",
            believed,
            numbers("range", unit),
            _range,
            instead=unstable_range,
            fields=(f"{scenario}_rate_low_rps", f"{scenario}_rate_high_rps"),
            split=lambda summary: (summary.rate_low_rps, summary.rate_high_rps),
        ),
        *(
            ResultColumn(f"{scenario}_{name}_ms", of_summary(f"{name}_ms"), numbers(name, "ms"), figures.number)
            for name in ("p50", "p90", "p95", "p99", "p999")
        ),
    )


def _star_of_either(scenario: Scenario) -> Callable[[Told], str]:
    """A ratio is none where one of its rates is not."""

    def star(told: Told) -> str:
        both = [told.result, *([told.group.reference] if told.group.reference else [])]
        return STAR if any(beside_others(result, scenario) for result in both) else ""

    return star


def _judgements(scenario: Scenario) -> tuple[ResultColumn, ...]:
    """What the rate is beside the reference's, what LoadGen says of it, and what it costs."""

    def measured(told: Told) -> LoadSummary | None:
        return told.result.load.get(scenario)

    return (
        ResultColumn(
            f"{scenario}_against_reference",
            lambda told: against_reference(told.group, told.result, scenario),
            numbers("vs ref"),
            figures.ratio,
            flag=_star_of_either(scenario),
        ),
        ResultColumn(
            f"{scenario}_verdict",
            lambda told: str(verdict(told.result, scenario)) if measured(told) else None,
            Column("LoadGen"),
            message,
        ),
        ResultColumn(f"{scenario}_tier", lambda told: getattr(measured(told), "tier", None), Column("tier")),
        ResultColumn(
            f"{scenario}_crowding",
            lambda told: crowd if (summary := measured(told)) and (crowd := summary.crowding) else None,
            fields=tuple(f"{scenario}_{name}" for name in ("beside_others", "held_up_share", "others_share")),
            split=lambda crowd: (crowd.beside_others, crowd.held_up, crowd.others_share),
        ),
        ResultColumn(f"{scenario}_runs", lambda told: len(summary.runs) if (summary := measured(told)) else None),
        ResultColumn(
            f"{scenario}_price_per_million",
            lambda told: price_per_million(told.result, scenario, told.task.price_per_hour),
            numbers("1M texts", "price"),
            figures.number,
            explained=_price,
        ),
    )


def _median(told: Told, scenario: Scenario) -> LoadRun | None:
    summary = usable(told.result, scenario)
    return median_run(summary) if summary else None


def _of_run(scenario: Scenario) -> tuple[ResultColumn, ...]:
    """Figures of the run whose rate is the result's."""

    def of_run(name: str) -> Callable[[Told], Any]:
        return lambda told: getattr(_median(told, scenario), name, None)

    return (
        ResultColumn(f"{scenario}_tokens_per_s", of_run("tokens_per_s"), numbers("tokens", "per s"), figures.number),
        ResultColumn(
            f"{scenario}_padding_share",
            lambda told: run.stages.padding_share if (run := _median(told, scenario)) else None,
            numbers("padding"),
            figures.percent,
        ),
        ResultColumn(
            f"{scenario}_matmul_share", of_run("matmul_share"), numbers("matmul", "of limit"), figures.percent
        ),
        ResultColumn(
            f"{scenario}_memory_share", of_run("memory_share"), numbers("memory", "of limit"), figures.percent
        ),
        *(
            ResultColumn(
                f"{scenario}_{stage.removesuffix('_s')}_share", _stage_share(scenario, stage), heading, figures.percent
            )
            for stage, heading in zip(
                _STAGES, (numbers("tokenise"), numbers("queue"), numbers("forward"), numbers("post")), strict=True
            )
        ),
        ResultColumn(f"{scenario}_warmup_s", of_run("warmup_s"), numbers("warm-up"), figures.duration),
        ResultColumn(f"{scenario}_queries", of_run("queries")),
        ResultColumn(f"{scenario}_mean_ms", of_run("mean_ms")),
        ResultColumn(f"{scenario}_passes_per_s", of_run("passes_per_s")),
    )


def _stage_share(scenario: Scenario, stage: str) -> Callable[[Told], float | None]:
    def share(told: Told) -> float | None:
        run = _median(told, scenario)
        total = sum(getattr(run.stages, name) for name in _STAGES) if run else 0.0
        return getattr(run.stages, stage) / total if run and total > 0 else None

    return share


def _recompiles(told: Told) -> int | None:
    """Summed over the timed runs of every scenario; None for an engine that never compiles."""
    runs = [run for summary in told.result.load.values() for run in summary.runs]
    counts = [run.recompiles for run in runs if run.recompiles is not None]
    return sum(counts) if counts else None


COLUMNS = (
    *(
        replace(column, scenario=scenario)
        for scenario in SCENARIOS
        for column in (*_rates(scenario), *_judgements(scenario), *_of_run(scenario))
    ),
    ResultColumn("recompiles", _recompiles, numbers("recomp."), figures.count),
)

_NAMES = (
    Place("classifier"),
    Place("method", from_width=120),
    Place("engine"),
    Place("precision", from_width=90),
)

NAMES = len(_NAMES)  # the columns that name a result, before its figures

LAYOUTS: Layouts = {
    "single": (
        *_NAMES,
        Place("single_rate_rps"),
        Place("single_range_rps", optional=True),
        Place("single_p50_ms"),
        Place("single_p90_ms", crowded=90),
        Place("single_p99_ms"),
        Place("single_against_reference"),
        Place("single_matmul_share", from_width=110),
        Place("single_memory_share", from_width=110),
        Place("answers", instead=False),
        Place("single_verdict", crowded=90),
        Place("single_tier", from_width=90),
    ),
    "offline": (
        *_NAMES,
        Place("offline_rate_rps"),
        Place("offline_range_rps", optional=True),
        Place("offline_tokens_per_s"),
        Place("offline_padding_share", crowded=90),
        Place("recompiles", from_width=84),
        Place("offline_against_reference"),
        Place("offline_matmul_share", from_width=110),
        Place("offline_memory_share", from_width=110),
        Place("answers", instead=False),
        Place("offline_verdict", crowded=90),
        Place("offline_tier", from_width=90),
    ),
    **{
        f"stages_{scenario}": (
            *_NAMES,
            *(Place(f"{scenario}_{stage.removesuffix('_s')}_share") for stage in _STAGES),
            Place(f"{scenario}_warmup_s", from_width=90),
        )
        for scenario in SCENARIOS
    },
}
