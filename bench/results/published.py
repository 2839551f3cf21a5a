"""Reads the figures that others published for the same systems: facts with their source, never measured here."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from bench.types import Record

_HERE = Path(__file__).parent


class PublishedFigure(Record):
    """One figure as its write-up (`source`) prints it, beside the recipe that does the same.

    `suite` is the task of bench/suites it was measured on, `row` the published system (A1 ... D2), `setting` a
    number of training or test texts. `value` keeps the published digits; an empty `hardware` was not stated.
    """

    source: str
    suite: str
    row: str
    recipe: str
    system: str
    setting: str
    engine: str
    hardware: str
    metric: str
    value: str
    unit: str
    note: str

    @property
    def text(self) -> str:
        """The value with its unit."""
        return f"{self.value} {self.unit}".rstrip()

    @property
    def share(self) -> float:
        """A score as a share of 1, whether it was printed as one or in per cent."""
        return float(self.value) / (100 if self.unit == "%" else 1)


class PublishedPoint(Record):
    """One evaluation of a published training curve, on the test split; losses in nats, macro averages.

    `step_texts` training texts were read a step: batch size by accumulation.
    """

    source: str
    suite: str
    row: str
    recipe: str
    system: str
    hardware: str
    step: int
    step_texts: int
    training_loss: float | None
    validation_loss: float | None
    accuracy: float
    precision: float
    recall: float
    f1: float

    @property
    def texts_read(self) -> int:
        """Training texts read so far, repeats counted."""
        return self.step * self.step_texts


@cache
def published_figures() -> tuple[PublishedFigure, ...]:
    """Every published figure, in the order of the write-ups."""
    return tuple(PublishedFigure.model_validate(row) for row in _rows("published.csv"))


@cache
def published_points() -> tuple[PublishedPoint, ...]:
    """Every point of the published training curves, curve by curve."""
    rows = _rows("published_curves.csv")
    return tuple(PublishedPoint.model_validate({key: text or None for key, text in row.items()}) for row in rows)


def _rows(name: str) -> list[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
