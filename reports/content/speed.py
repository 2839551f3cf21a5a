"""Decides which speed figures may be printed, and what they are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from bench.results.records import Result, Status
from bench.results.speed_records import LoadRun, LoadSummary, MachineLimits, ServerSearch
from bench.types import Scenario
from reports.content.results import Group
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.words import joined, message

SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
MILLION = 1_000_000
STAR = "*"  # after a rate measured beside others


def verdict(result: Result, scenario: Scenario) -> str:
    """LoadGen's verdict, or UNSTABLE where the result's runs differ too much to name one rate."""
    summary = result.load.get(scenario)
    if summary is None:
        return MISSING
    if not summary.valid:
        return "INVALID"
    return "UNSTABLE" if result.status is Status.UNSTABLE else "VALID"


def usable(result: Result, scenario: Scenario) -> LoadSummary | None:
    """The figures of a scenario; None where there are none that can be believed."""
    return result.load[scenario] if verdict(result, scenario) == "VALID" else None


def beside_others(result: Result, scenario: Scenario) -> bool:
    """Whether its rate is printed with a star: too low by what other processes took."""
    summary = usable(result, scenario)
    return summary is not None and summary.beside_others


def ranked(result: Result, scenario: Scenario) -> LoadSummary | None:
    """The figures of a scenario that may be held against those of other results; None where there are none."""
    return None if beside_others(result, scenario) else usable(result, scenario)


def crowd_notes(results: Iterable[Result], scenarios: Iterable[Scenario] = SCENARIOS) -> tuple[str, ...]:
    """What the star of a rate means, where some result has one."""
    wanted = tuple(scenarios)
    crowds = [result.load[name].crowding for result in results for name in wanted if beside_others(result, name)]
    worst = max((crowd for crowd in crowds if crowd), key=lambda crowd: crowd.held_up, default=None)
    if worst is None:
        return ()
    return (
        message(
            "*: measured beside other processes, which held it up for up to {held_up:.0%} of its time and had "
            "{others:.0%} of the cores then: rates too low, latencies too high; it ranks by quality as ever, by rate "
            "with none (no Pareto); --retry measures it again",
            held_up=worst.held_up,
            others=worst.others_share,
        ),
    )


def median_run(summary: LoadSummary) -> LoadRun | None:
    """The run whose rate is the summary's, or nearest to it."""
    return min(summary.runs, key=lambda run: abs(run.rate_rps - summary.rate_rps), default=None)


def against_reference(group: Group, result: Result, scenario: Scenario) -> float | None:
    """The result's rate over that of the reference engine with the same classifier."""
    own = usable(result, scenario)
    reference = usable(group.reference, scenario) if group.reference else None
    return own.rate_rps / reference.rate_rps if own and reference and reference.rate_rps > 0 else None


def limit_notes(results: Iterable[Result]) -> tuple[str, ...]:
    """The limits themselves, one a precision; nothing where no result has any."""
    limits = {result.work.limits.precision: result.work.limits for result in results if result.work}
    if not limits:
        return ()
    measured = joined("; ", (_limit(limit) for limit in limits.values()))
    return (
        message(
            "matmul, memory: operations of the texts (by architecture, on their real tokens) and weights read, over "
            "what this machine was measured to do: {measured}",
            measured=measured,
        ),
    )


def _limit(limit: MachineLimits) -> str:
    return message(
        "{precision} {rate} GFLOP/s ({library}), memory {bandwidth} GB/s",
        precision=limit.precision,
        rate=figures.number(limit.matmul_flops_per_s / 1e9),
        library=limit.matmul_library,
        bandwidth=figures.number(limit.memory_bytes_per_s / 1e9),
    )


def random_notes(groups: Iterable[Group]) -> tuple[str, ...]:
    """What a rate without a checkpoint is of, and whose tokens were counted."""
    return tuple(
        message("{name}: {note}", name=group.name, note="; ".join(group.fit.notes))
        for group in groups
        if group.fit and any(result.cell.weights == "random" for result in group.results)
    )


def tuning_notes(results: Iterable[Result]) -> tuple[str, ...]:
    """The settings that --autotune found, and what they were worth on the training texts it tried them on."""
    tuned = {result.cell.id: result for result in results if result.tuning}.values()
    return tuple(
        message(
            "{classifier}/{engine} as --autotune set it: {settings}; {gain} the rate of its usual settings on {texts} "
            "training texts",
            classifier=result.cell.recipe,
            engine=result.cell.engine,
            settings=", ".join(f"{name} {value:,}" for name, value in result.tuning.settings.items()),
            gain=figures.ratio(result.tuning.trial.rate_rps / result.tuning.default_rate_rps),
            texts=len(result.tuning.trial.labels),
        )
        for result in tuned
        if result.tuning
    )


def precision_of(result: Result) -> str:
    """The engine's precision; int8 weights of fewer bits than 8, which this CPU cannot multiply right, say so."""
    if result.session and result.session.details.get("weight_bits") == 7:
        return message("int8, 7 bits")
    return result.cell.precision or MISSING


def weight_notes(results: Iterable[Result]) -> tuple[str, ...]:
    """What 7 bits are, where a result has them."""
    if any(result.session and result.session.details.get("weight_bits") == 7 for result in results):
        return (
            message(
                "int8, 7 bits: without VNNI a CPU's int8 products overflow with weights of 8 bits, so theirs have 7; "
                "other CPUs, other answers"
            ),
        )
    return ()


def answers_mark(result: Result) -> str:
    """What the parity certificate says: whether this engine gives the classifier's own answers.

    "own" stands for a classifier that exists behind its endpoint alone.
    """
    if result.parity is None:
        return message("own") if result.without_reference else MISSING
    return message("same") if result.parity.passed else message("CHANGED")


def price_per_million(result: Result, scenario: Scenario, price_per_hour: float | None) -> float | None:
    """Price of a million texts at the measured rate; None without a price or without a rate to believe."""
    summary = usable(result, scenario)
    if price_per_hour is None or summary is None or summary.rate_rps <= 0:
        return None
    return price_per_hour / 3600 / summary.rate_rps * MILLION


def search_of(result: Result) -> tuple[LoadRun, ServerSearch] | None:
    """The run that stands for a result's server figures and how its rate was found; None where it was not measured."""
    summary = result.load.get("server")
    run = median_run(summary) if summary else None
    return (run, run.server) if run and run.server else None
