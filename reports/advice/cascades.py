"""Decides whether to offer a cascade of two results: it must beat every single result that could be deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.quality.randomisation import randomisation_test
from bench.quality.ranking import SIGNIFICANT, pair_up, paired_difference
from bench.quality.stats import holm
from bench.results.demands import Demands
from reports.advice.candidates import ONE_RUN_MARGIN, Candidate
from reports.content.cascades import Cascade, best_cascade, latencies_of
from reports.content.results import TaskResults
from reports.content.speed import usable
from reports.render import figures
from reports.render.words import message

MARGIN = 0.005  # the loss of macro F1 that counts as none, as in bench check


@dataclass(frozen=True)
class Offer:
    """A cascade that beats every single result: better by the paired test where `better`, else not worse and faster.

    Latencies in milliseconds, one request at a time; None where they were not measured or their raw values are gone.
    """

    cascade: Cascade
    better: tuple[str, ...]
    faster: tuple[str, ...]
    mean_ms: float | None
    p99_ms: float | None


def offer_of(
    task: TaskResults, candidates: Sequence[Candidate], demands: Demands, read: Callable[[str], np.ndarray]
) -> Offer | None:
    """The cascade chosen on validation, where the test texts show that it beats each of `rows`; None where not.

    Demands of time and of automation are demands on a served result, which a computed cascade is not: none is offered.
    """
    found = best_cascade(task)
    if found is None or not candidates or not _may_be_weighed(found, demands):
        return None
    k = len(task.data.class_names)
    answers = [task.answers[candidate.result.cell.id] for candidate in candidates]
    tests = [randomisation_test(pair_up(found.answers, each), k) for each in answers]
    adjusted = holm([test.p for test in tests])
    better, faster = [], []
    for candidate, each, test, p in zip(candidates, answers, tests, adjusted, strict=True):
        if test.difference > 0 and p < SIGNIFICANT:
            better.append(candidate.name)
        elif _faster(found, candidate) and _not_worse(paired_difference(found.answers, each, k)):
            faster.append(candidate.name)
        else:
            return None
    mean_ms, p99_ms = latencies_of(found, read) or (None, None)
    return Offer(found, tuple(better), tuple(faster), mean_ms, p99_ms)


def _may_be_weighed(found: Cascade, demands: Demands) -> bool:
    if demands.rps is not None or demands.p99_ms is not None or demands.accuracy is not None:
        return False
    return demands.min_f1 is None or (found.macro_f1.items_needed is None and found.macro_f1.low >= demands.min_f1)


def _faster(found: Cascade, candidate: Candidate) -> bool:
    """Beyond the ranges of both rates, 10 % each way for a single run; on one machine, in one scenario."""
    load = usable(candidate.result, found.scenario)
    if load is None or candidate.result.cell.machine != found.first.result.cell.machine:
        return False
    low = min(found.rate_low_rps, found.rate_rps * (1 - ONE_RUN_MARGIN))
    return low > max(load.rate_high_rps, load.rate_rps * (1 + ONE_RUN_MARGIN))


def _not_worse(difference: Any) -> bool:
    return difference.items_needed is None and difference.low > -MARGIN


def offer_lines(offer: Offer) -> Iterator[str]:
    """What the cascade is, what it gives, and which results it beats in what."""
    found = offer.cascade
    yield message(
        "A cascade beats every single result: {first} answers, texts below a confidence of {threshold} ({share}) go to "
        "{second}: macro F1 {f1}, {rate} texts/s; computed, not served; chosen on validation, tested on test",
        first=found.first.name,
        second=found.second.name,
        threshold=figures.threshold(found.handover.threshold),
        share=figures.percent(found.share),
        f1=figures.plus_minus(found.macro_f1),
        rate=figures.number(found.rate_rps),
    )
    if offer.better:
        yield message("Better than {rows} by the paired test", rows=", ".join(offer.better))
    if offer.faster:
        yield message(
            "Faster than {rows}, and at most {margin} points of macro F1 worse (95 %)",
            rows=", ".join(offer.faster),
            margin=figures.points(MARGIN),
        )
    if offer.mean_ms is not None:
        p99 = message("too few queries") if offer.p99_ms is None else f"{figures.number(offer.p99_ms)} ms"
        yield message("Its latency: mean {mean} ms, p99 {p99}", mean=figures.number(offer.mean_ms), p99=p99)


def offer_record(offer: Offer) -> dict[str, Any]:
    """The offer as numbers."""
    found = offer.cascade
    return {
        "first": found.first.name,
        "second": found.second.name,
        "handover": asdict(found.handover),
        "share": found.share,
        "macro_f1": found.macro_f1.model_dump(),
        "accuracy": found.accuracy.model_dump(),
        "scenario": found.scenario,
        "rate_rps": found.rate_rps,
        "better_than": list(offer.better),
        "faster_than": list(offer.faster),
        "mean_ms": offer.mean_ms,
        "p99_ms": offer.p99_ms,
    }
