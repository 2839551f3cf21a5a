"""The advice as its readers want it: markdown, a terminal, JSON-able data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from reports.advice.advice import Advice, BreakEven, Rivalry, nearest_on
from reports.advice.automation import automation_lines
from reports.advice.candidates import Candidate, Check, Measured
from reports.advice.cascades import offer_lines, offer_record
from reports.content.automation import automated_cells
from reports.content.provenance import title
from reports.export.records import automation_record, json_able
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.markdown import clean, escape
from reports.render.table import Column, Row, Table, numbers, spoken, to_markdown, to_rich
from reports.render.words import ENGLISH, joined, message, say, say_marked

MOST_ROWS = 12
SCORES = ("macro F1", "accuracy")


@dataclass(frozen=True)
class AdvicePage:
    """Everything there is to say, one section a task."""

    advices: tuple[Advice, ...]
    language: str = ENGLISH

    @property
    def markdown(self) -> str:
        """GitHub-flavoured markdown that ends in a newline."""
        return "\n\n".join(map(self._section, self.advices)) + "\n"

    def print(self, console: Console) -> None:
        """Print on a console, as wide as it is."""
        for advice in self.advices:
            console.print(Text(clean(say_marked(title(advice.data), self.language)), style="bold"))
            for line in lines_of(advice):
                console.print(Text(f"- {clean(say(line, self.language))}"))
            console.print()
            for part in to_rich(spoken(table_of(advice), self.language), console.width):
                console.print(part)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; times in seconds, rates in 1/s, p99 in milliseconds."""
        return {"tasks": [json_able(_record(advice)) for advice in self.advices]}

    def _section(self, advice: Advice) -> str:
        lines = "\n".join(f"- {escape(say(line, self.language))}" for line in lines_of(advice))
        table = to_markdown(spoken(table_of(advice), self.language))
        return f"## {escape(say_marked(title(advice.data), self.language))}\n\n{lines}\n\n{table}"


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
            yield message("Runner-up: none, no other row meets the demands")
        if advice.chosen and (break_even := _towards(advice)):
            yield _break_even(break_even)
    if advice.offer:
        yield from offer_lines(advice.offer)
    if advice.between:
        yield _break_even(advice.between)
    yield from _warnings(advice)


def _none_meets(advice: Advice) -> Iterator[str]:
    deployable = [row for row in advice.rows if row.refused is None]
    yield message("No row meets the demands") if deployable else message("No row of this task can be deployed")
    if not deployable:
        return
    nearest = advice.rows[0]
    yield message("Nearest to all of them: {row}: {checks}", row=nearest.name, checks=_checks(nearest))
    for check in nearest.checks:
        row = nearest_on(advice.rows, check.what)
        if row is None:
            yield message("{demand}: not measured on any row", demand=message(check.what))
        else:
            [own] = [each for each in row.checks if each.what == check.what]
            yield message(
                "Nearest on {demand}: {row}: {check}", demand=message(check.what), row=row.name, check=_check(own)
            )


def _checks(candidate: Candidate) -> str:
    if not candidate.checks:
        rate = _shown("RPS", candidate.rate) if candidate.rate else message("no rate that can be believed")
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
        value=_shown(check.what, check.measured),
        unit=unit,
        fate=message(check.fate),
        sign=sign,
        wanted=wanted,
    )


def _shown(what: str, measured: Measured | None) -> str:
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
    volume = _volume(each.texts)
    names = {"first": each.first, "second": each.second, "volume": volume}
    if each.beyond:
        return message("Cost: {first} is cheaper than {second} from {volume} texts on", **names)
    return message("Cost: {first} is cheaper than {second} up to {volume} texts", **names)


def _warnings(advice: Advice) -> Iterator[str]:
    if advice.rule == "cheapest":
        yield message("Rule: the highest rate among the rows that meet the demands")
    elif advice.rule == "automated":
        yield message(
            "Rule: the row that automates the most, by the texts its threshold was chosen on; of rows whose share of "
            "the test texts cannot be told apart, the one with the highest rate"
        )
    else:
        yield message(
            "Rule: the best macro F1; of rows the paired tests cannot tell apart, the one with the highest rate"
        )
    if advice.own_texts is not None:
        yield message(
            "Estimate (~): rates and p99 scaled to the tokens of your {texts:,} texts as if time were proportional to "
            "tokens; measure with --data to be sure",
            texts=advice.own_texts,
        )
    if advice.excluded:
        yield message("Left out, because the engine changes answers: {rows}", rows=", ".join(advice.excluded))
    if refused := [row.name for row in advice.rows if row.refused]:
        yield message("Must not be deployed, because the row is INVALID: {rows}", rows=", ".join(refused))
    if advice.seeds == 1:
        yield message("1 seed: trained again, a classifier may come out otherwise")


def table_of(advice: Advice) -> Table:
    """Every row that keeps its answers, in the order of the rule; rows that do not meet the demands below."""
    price = advice.demands.price_per_hour
    columns = (
        Column("row"),
        Column("meets"),
        numbers("macro F1"),
        *((numbers("automated"), numbers("right")) if advice.rule == "automated" else ()),
        numbers("rate", "1/s"),
        numbers("p99", "ms"),
        numbers("training", from_width=90),
        *((numbers("1M texts", "price"),) if price is not None else ()),
        Column("cheaper than the chosen row", from_width=100),
    )
    shown = advice.rows[:MOST_ROWS]
    rows = tuple(_row(advice, candidate, price) for candidate in shown)
    hidden = len(advice.rows) - len(shown)
    scenarios = dict.fromkeys(candidate.scenario for candidate in shown if candidate.scenario)
    notes = [message("training: with evaluation, tokenising and conversion")]
    if scenarios:
        notes.insert(0, message("rate, p99: LoadGen {scenarios}", scenarios=", ".join(scenarios)))
    if hidden:
        notes.append(message("{hidden} more rows", hidden=hidden))
    return Table("Rows that could be deployed", columns, rows, tuple(notes))


def _row(advice: Advice, candidate: Candidate, price: float | None) -> Row:
    text_s = candidate.text_s
    million = price * text_s * 1e6 / 3600 if price is not None and text_s is not None else None
    unmet = [message(check.what) for check in candidate.checks if check.fate in ("unlikely", "not met")]
    unknown = [message(check.what) for check in candidate.checks if check.fate == "unknown"]
    lacks = [candidate.refused] if candidate.refused else []
    lacks += [message("not {demands}", demands=joined(", ", unmet))] if unmet else []
    lacks += [message("{demands} not known", demands=joined(", ", unknown))] if unknown else []
    return (
        candidate.name,
        joined("; ", lacks) if lacks else message("yes"),
        figures.plus_minus(candidate.f1),
        *(automated_cells(candidate.automation) if advice.rule == "automated" else ()),
        _shown("RPS", candidate.rate),
        _shown("p99", candidate.p99),
        figures.duration(candidate.training_s),
        *((figures.number(million),) if price is not None else ()),
        _cheaper(advice, candidate),
    )


def _cheaper(advice: Advice, candidate: Candidate) -> str:
    each = next((each for each in advice.break_evens if each.second == candidate.name), None)
    if each is None:
        return MISSING
    if not each.apart:
        return message("cannot be told apart")
    if each.texts is None:
        return message("never") if each.always else message("always")
    volume = _volume(each.texts)
    if each.beyond:
        return message("up to {volume} texts", volume=volume)
    return message("from {volume} texts on", volume=volume)


def _volume(texts: float) -> str:
    """Two digits: no more were measured."""
    return f"{float(f'{texts:.2g}'):,.0f}"


def _record(advice: Advice) -> dict[str, Any]:
    return {
        "task": advice.data.task,
        "demands": advice.demands.model_dump(),
        "rule": advice.rule,
        "deploy": advice.chosen.name if advice.chosen else None,
        "sure": advice.sure,
        "runner_up": advice.runner_up.name if advice.runner_up else None,
        "rivalry": _rivalry_record(advice),
        "break_even": [asdict(each) for each in advice.break_evens],
        "between": asdict(advice.between) if advice.between else None,
        "cascade": offer_record(advice.offer) if advice.offer else None,
        "estimated_for_texts": advice.own_texts,
        "excluded": list(advice.excluded),
        "rows": [_candidate_record(row) for row in advice.rows],
    }


def _rivalry_record(advice: Advice) -> dict[str, Any] | None:
    if advice.rivalry is None:
        return None
    return {**asdict(advice.rivalry), "f1": advice.rivalry.f1.model_dump()}


def _candidate_record(candidate: Candidate) -> dict[str, Any]:
    return {
        "row": candidate.name,
        "cell": candidate.row.cell.id,
        "meets": candidate.meets,
        "refused": candidate.refused,
        "macro_f1": candidate.f1.model_dump(),
        "scenario": candidate.scenario,
        "rate_rps": candidate.rate and asdict(candidate.rate),
        "p99_ms": candidate.p99 and asdict(candidate.p99),
        "automation": automation_record(candidate.automation) if candidate.automation else None,
        "training_s": candidate.training_s,
        "text_s": candidate.text_s,
        "checks": [asdict(check) for check in candidate.checks],
    }
