"""Shows the advice as its readers want it: markdown, a terminal, JSON-able data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from reports.advice.advice import Advice
from reports.advice.candidates import Candidate
from reports.advice.cascades import offer_record
from reports.advice.lines import lines_of, shown, volume_of
from reports.content.automation import automated_cells
from reports.content.provenance import title
from reports.export.records import automation_record, json_able
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.markdown import clean, escape
from reports.render.table import Column, Row, Table, numbers, say_table, to_markdown, to_rich
from reports.render.words import ENGLISH, joined, message, say, say_marked

MOST_ROWS = 12


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
            for part in to_rich(say_table(table_of(advice), self.language), console.width):
                console.print(part)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; times in seconds, rates in 1/s, p99 in milliseconds."""
        return {"tasks": [json_able(_record(advice)) for advice in self.advices]}

    def _section(self, advice: Advice) -> str:
        lines = "\n".join(f"- {escape(say(line, self.language))}" for line in lines_of(advice))
        table = to_markdown(say_table(table_of(advice), self.language))
        return f"## {escape(say_marked(title(advice.data), self.language))}\n\n{lines}\n\n{table}"


def table_of(advice: Advice) -> Table:
    """Every result that keeps its answers, in the order of the rule; results that do not meet the demands below."""
    price = advice.demands.price_per_hour
    columns = (
        Column("result"),
        Column("meets"),
        numbers("macro F1"),
        *((numbers("automated"), numbers("right")) if advice.rule == "automated" else ()),
        numbers("rate", "1/s"),
        numbers("p99", "ms"),
        numbers("training", from_width=90),
        *((numbers("1M texts", "price"),) if price is not None else ()),
        Column("cheaper than the chosen result", from_width=100),
    )
    best = advice.candidates[:MOST_ROWS]
    rows = tuple(_row(advice, candidate, price) for candidate in best)
    hidden = len(advice.candidates) - len(best)
    scenarios = dict.fromkeys(candidate.scenario for candidate in best if candidate.scenario)
    notes = [message("training: with evaluation, tokenising and conversion")]
    if scenarios:
        notes.insert(0, message("rate, p99: LoadGen {scenarios}", scenarios=", ".join(scenarios)))
    if hidden:
        notes.append(message("{hidden} more results", hidden=hidden))
    return Table("Results that could be deployed", columns, rows, tuple(notes))


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
        shown("RPS", candidate.rate),
        shown("p99", candidate.p99),
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
    volume = volume_of(each.texts)
    if each.beyond:
        return message("up to {volume} texts", volume=volume)
    return message("from {volume} texts on", volume=volume)


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
        "rows": [_candidate_record(candidate) for candidate in advice.candidates],
    }


def _rivalry_record(advice: Advice) -> dict[str, Any] | None:
    if advice.rivalry is None:
        return None
    return {**asdict(advice.rivalry), "f1": advice.rivalry.f1.model_dump()}


def _candidate_record(candidate: Candidate) -> dict[str, Any]:
    return {
        "row": candidate.name,
        "cell": candidate.result.cell.id,
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
