"""Says in words what the verdicts of gates and of attribution store as codes and numbers."""

from __future__ import annotations

from collections.abc import Iterator

from bench.results.verdicts import (
    CheckedResult,
    Judgement,
    Metric,
    MetricJudgement,
    Part,
    Reason,
    SpeedJudgement,
    Swap,
    Untried,
    Verdict,
)
from reports.render.words import joined, message

_METRICS = {Metric.ACCURACY: message("accuracy"), Metric.MACRO_F1: message("macro F1")}
_PARTS = {
    Part.NOTHING: message("nothing, asked again"),
    Part.WEIGHTS: message("weights"),
    Part.TOKENIZER: message("tokenizer"),
    Part.BOTH_HALVES: message("weights and tokenizer"),
    Part.ENGINE: message("engine"),
    Part.LIBRARIES: message("libraries"),
    Part.CODE: message("code"),
    Part.SURROUNDINGS: message("libraries and code"),
}
_UNTRIED = {
    Untried.SAME: message("the same in base and head"),
    Untried.NO_BASE_PYTHON: message("not tried: name the base's interpreter with --base-python"),
    Untried.NO_BASE_SOURCE: message("not tried: name the base's checkout with --base-source"),
    Untried.OTHER_KIND: message("not tried: base and head are different kinds of classifier"),
    Untried.NO_REFERENCE: message("not tried: no engine here holds its weights"),
    Untried.NO_TOKENIZER_FILE: message(
        "not tried: a classifier without tokenizer.json keeps its vocabulary with its weights"
    ),
}


def explain_checked(checked: CheckedResult) -> str | None:
    """What a reader of a result's verdict must know beside it; None where that is nothing."""
    parts = [*_explain_reason(checked), *(_explain_quality(checked.judgement) if checked.judgement else ())]
    parts += [told for part in checked.speed if (told := explain_speed(part))]
    return joined("; ", parts) if parts else None


def _explain_reason(checked: CheckedResult) -> Iterator[str]:
    if checked.reason is Reason.NOT_IN_RUN:
        yield message("not in this run")
    elif checked.reason is Reason.NO_COMMON_ITEM:
        yield message("no test item in common")
    elif checked.reason is Reason.NO_ANSWERS:
        yield message("{status}: {reason}", status=checked.status, reason=checked.detail or message("no answers"))
    elif checked.reason is Reason.SPEED_FAILED:
        yield message("speed: {error}", error=checked.detail or "")


def _explain_quality(judgement: Judgement) -> Iterator[str]:
    if judgement.unchanged:
        yield message("the same classifier gave the same answers")
    for each in judgement.metrics:
        yield from _explain_metric(each, judgement)
    spread = judgement.spread
    if spread is None:
        return
    seeds = [each.seeds_needed for each in judgement.metrics if each.seeds_needed]
    names = {"points": 100 * spread.accuracy, "seeds": spread.seeds}
    if spread.measured:
        yield message("trained again: {points:.2f} points between {seeds} seeds are in the interval", **names)
    elif judgement.verdict is not Verdict.PASS:
        yield message(
            "trained again with {seeds} seeds: {points:g} points between seeds are assumed (--seed-spread); 3 --seeds "
            "in both runs measure them",
            **names,
        )
    if seeds:
        yield message("about {seeds} seeds a side would settle it", seeds=max(seeds))


def _explain_metric(each: MetricJudgement, judgement: Judgement) -> Iterator[str]:
    name = _METRICS[each.metric]
    lost = -100 * each.difference.value
    if each.verdict is Verdict.REGRESSED:
        yield message(
            "{lost:.2f} points of {metric} lost on {texts:,} texts", lost=lost, metric=name, texts=judgement.n
        )
    elif each.verdict is Verdict.PASS and each.difference.high < 0:
        yield message("{metric} is worse, by less than the margin", metric=name)
    if each.items_needed:
        needed = each.items_needed
        yield message("{metric}: about {texts:,.0f} texts would settle it", metric=name, texts=float(f"{needed:.2g}"))


def explain_speed(part: SpeedJudgement) -> str | None:
    """What a reader of a scenario's verdict must know; None where that is nothing."""
    measured = message(
        "{scenario}: {slowdown:+.1%} time a text, bar {bar:.1%}",
        scenario=message(part.scenario),
        slowdown=part.slowdown.value,
        bar=part.bar,
    )
    if part.beside_others:
        return message(
            "{measured}: not judged, other processes took {others:.0%} of the cores and held a side up for "
            "{held_up:.0%} of its turns; leave the machine alone",
            measured=measured,
            others=part.others_share or 0.0,
            held_up=part.held_up,
        )
    if part.verdict is Verdict.INCONCLUSIVE:
        return message(
            "{measured}: not settled in {turns} turns; leave the machine alone or take more --turns",
            measured=measured,
            turns=part.turns,
        )
    return measured if part.verdict is Verdict.REGRESSED else None


def name_part(part: Part) -> str:
    """A part that attribution puts back."""
    return _PARTS[part]


def explain_untried(swap: Swap) -> str:
    """Why a part was not put back."""
    if swap.untried is Untried.IS_REFERENCE:
        return message("not tried: {engine} is the reference engine itself", engine=swap.detail or "")
    if swap.untried is Untried.DOES_NOT_RUN:
        return message("does not run: {error}", error=swap.detail or "")
    return _UNTRIED[swap.untried] if swap.untried else ""
