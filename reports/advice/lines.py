"""Says the advice in sentences: what to deploy, the runner-up, how sure that is, what it costs."""

from __future__ import annotations

from collections.abc import Iterator

from reports.advice.advice import Advice, BreakEven, Rivalry, nearest_on
from reports.advice.automation import automation_lines
from reports.advice.candidates import Candidate, Check, Measured
from reports.advice.cascades import offer_lines
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.words import joined, message

SCORES = ("macro F1", "accuracy")


def lines_of(advice: Advice) -> Iterator[str]:
    """What to deploy, the runner-up, how sure that is; or what comes nearest to each demand."""
    if advice.chosen is None:
        yield from _none_meets(advice)
    else:
        yield message("Deploy {row}: {checks}", row=advice.chosen.name, checks=_checks(advice.chosen))
        yield from automation_lines(advice.chosen)
        yield _how_sure(advice)
        if advice.runner_up:
            yield _runner_up(advice)
        else:
            yield message("Runner-up: none, no other result meets the demands")
        if advice.chosen and (break_even := _towards(advice)):
            yield _break_even(break_even)
    if advice.offer:
        yield from offer_lines(advice.offer)
    if advice.between:
        yield _break_even(advice.between)
    yield from _warnings(advice)


def _none_meets(advice: Advice) -> Iterator[str]:
    deployable = [candidate for candidate in advice.candidates if candidate.refused is None]
    yield message("No result meets the demands") if deployable else message("No result of this task can be deployed")
    if not deployable:
        return
    nearest = advice.candidates[0]
    yield message("Nearest to all of them: {row}: {checks}", row=nearest.name, checks=_checks(nearest))
    for check in nearest.checks:
        candidate = nearest_on(advice.candidates, check.what)
        if candidate is None:
            yield message("{demand}: not measured on any result", demand=message(check.what))
        else:
            [own] = [each for each in candidate.checks if each.what == check.what]
            yield message(
                "Nearest on {demand}: {row}: {check}", demand=message(check.what), row=candidate.name, check=_check(own)
            )


def _checks(candidate: Candidate) -> str:
    if not candidate.checks:
        rate = shown("RPS", candidate.rate) if candidate.rate else message("no rate that can be believed")
        return message("macro F1 {f1}, {rate} texts/s", f1=figures.plus_minus(candidate.f1), rate=rate)
    return joined("; ", map(_check, candidate.checks))


def _check(check: Check) -> str:
    sign = "<=" if check.what == "p99" else ">="
    wanted = (figures.score if check.what in SCORES else figures.number)(check.wanted)
    unit = " ms" if check.what == "p99" else ""
    if check.measured is None:
        return message(
            "{what}: not known whether {sign} {wanted} ({reason})",
            what=message(check.what),
            sign=sign,
            wanted=wanted + unit,
            reason=check.reason or "",
        )
    return message(
        "{what} {value}{unit} {fate} ({sign} {wanted})",
        what=message(check.what),
        value=shown(check.what, check.measured),
        unit=unit,
        fate=message(check.fate),
        sign=sign,
        wanted=wanted,
    )


def shown(what: str, measured: Measured | None) -> str:
    """A figure as the sentences and the table print it; one that was estimated has a ~."""
    if measured is None:
        return MISSING
    show = figures.score if what in SCORES else figures.number
    return ("~" if measured.estimated else "") + show(measured.value)


def _how_sure(advice: Advice) -> str:
    chosen = advice.chosen
    assert chosen is not None  # noqa: S101 - the caller has one
    if not chosen.checks:
        return message("How sure: nothing was demanded; the rank and its tests speak for it")
    doubtful = [check for check in chosen.checks if check.fate != "met"]
    if not doubtful:
        return message("How sure: every demand is met by the whole of its 95 % interval or range")
    return message("How sure: not quite; {doubts}", doubts=joined("; ", map(_doubt, doubtful)))


def _doubt(check: Check) -> str:
    if check.chance is not None:
        return message(
            "the demand on {what} lies within its interval (chance that it is met: about {chance:.0%})",
            what=message(check.what),
            chance=check.chance,
        )
    if check.reason is not None:
        return message(
            "only its value meets the demand on {what} ({reason})", what=message(check.what), reason=check.reason
        )
    return message("the demand on {what} lies within the noise of the measurement", what=message(check.what))


def _runner_up(advice: Advice) -> str:
    other, rivalry = advice.runner_up, advice.rivalry
    assert other is not None  # noqa: S101 - the caller has both
    assert rivalry is not None  # noqa: S101
    points = _points_lower(rivalry)
    if rivalry.faster is None:
        return message("Runner-up {row}: {points}", row=other.name, points=points)
    speed = message(
        "{ratio} the rate ({told})",
        ratio=figures.ratio(1 / rivalry.faster),
        told=message("told apart") if rivalry.rates_apart else message("cannot be told apart"),
    )
    return message("Runner-up {row}: {points}; {speed}", row=other.name, points=points, speed=speed)


def _points_lower(rivalry: Rivalry) -> str:
    told = message("told apart") if rivalry.f1_apart else message("cannot be told apart")
    lower = figures.points(rivalry.f1.value)
    if rivalry.f1.items_needed is not None:
        return message(
            "macro F1 {points} points lower ({told}; an interval needs about {n:,} texts)",
            points=lower,
            told=told,
            n=rivalry.f1.items_needed,
        )
    return message(
        "macro F1 {points} points lower (95 % {low} to {high}, {told})",
        points=lower,
        low=figures.points(rivalry.f1.low),
        high=figures.points(rivalry.f1.high),
        told=told,
    )


def _towards(advice: Advice) -> BreakEven | None:
    name = advice.runner_up.name if advice.runner_up else None
    return next((each for each in advice.break_evens if each.second == name), None)


def _break_even(each: BreakEven) -> str:
    if not each.apart:
        return message(
            "Cost: the rates of {first} and {second} cannot be told apart, so there is no break-even volume",
            first=each.first,
            second=each.second,
        )
    if each.texts is None:
        first, second = (each.first, each.second) if each.always else (each.second, each.first)
        return message(
            "Cost: {first} is cheaper than {second} at any volume, training included", first=first, second=second
        )
    volume = volume_of(each.texts)
    names = {"first": each.first, "second": each.second, "volume": volume}
    if each.beyond:
        return message("Cost: {first} is cheaper than {second} from {volume} texts on", **names)
    return message("Cost: {first} is cheaper than {second} up to {volume} texts", **names)


def _warnings(advice: Advice) -> Iterator[str]:
    if advice.rule == "cheapest":
        yield message("Rule: the highest rate among the results that meet the demands")
    elif advice.rule == "automated":
        yield message(
            "Rule: the result that automates the most, by the texts its threshold was chosen on; of results whose "
            "share of the test texts cannot be told apart, the one with the highest rate"
        )
    else:
        yield message(
            "Rule: the best macro F1; of results the paired tests cannot tell apart, the one with the highest rate"
        )
    if advice.own_texts is not None:
        yield message(
            "Estimate (~): rates and p99 scaled to the tokens of your {texts:,} texts as if time were proportional to "
            "tokens; measure with --data to be sure",
            texts=advice.own_texts,
        )
    if advice.excluded:
        yield message("Left out, because the engine changes answers: {rows}", rows=", ".join(advice.excluded))
    if refused := [candidate.name for candidate in advice.candidates if candidate.refused]:
        yield message("Must not be deployed, because the result is INVALID: {rows}", rows=", ".join(refused))
    if beside := [candidate.name for candidate in advice.candidates if candidate.beside_others]:
        yield message(
            "Measured beside others, so faster than their rates say; a demand that they miss is not known: {rows}",
            rows=", ".join(beside),
        )
    if advice.seeds == 1:
        yield message("1 seed: trained again, a classifier may come out otherwise")


def volume_of(texts: float) -> str:
    """Two digits: no more were measured."""
    return f"{float(f'{texts:.2g}'):,.0f}"
