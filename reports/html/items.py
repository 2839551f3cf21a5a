"""Chooses the test texts worth reading: those most classifiers get wrong, and those an engine answers otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

import numpy as np

from bench.results.certificates import Flip
from bench.results.records import Answers, Result
from reports.content.results import Group, TaskResults, is_reference
from reports.render.markdown import clean

MOST_HARD = 50
MOST_FLIPS = 100
MOST_FLIPS_A_ROW = 10


@dataclass(frozen=True)
class HardItems:
    """Items sorted hardest first: ids int64 (m,), and of the classifiers that answered each how many were wrong.

    `probability` is the mean probability given to the true class; `answers` int (m, k + 1) counts the answers, the last
    column those that name no class.
    """

    ids: np.ndarray
    labels: np.ndarray
    answered: np.ndarray
    wrong: np.ndarray
    probability: np.ndarray
    answers: np.ndarray


def hard_items(answers: Sequence[Answers], class_count: int) -> HardItems:
    """Rank every item by the share of classifiers that got it wrong, ties by the probability of the true class."""
    ids, first = np.unique(np.concatenate([each.ids for each in answers]), return_index=True)
    labels = np.concatenate([each.labels for each in answers])[first]
    tally = np.zeros((len(ids), class_count + 1), dtype=np.int64)
    probability = np.zeros(len(ids))
    for each in answers:
        at = np.searchsorted(ids, each.ids)
        given = np.where(each.prediction.labels < 0, class_count, each.prediction.labels)
        tally[at, given] += 1
        probability[at] += each.prediction.probabilities[np.arange(len(at)), each.labels]
    answered = tally.sum(axis=1)
    wrong = answered - tally[np.arange(len(ids)), labels]
    probability /= answered
    order = np.lexsort((ids, probability, -wrong / answered))
    return HardItems(ids[order], labels[order], answered[order], wrong[order], probability[order], tally[order])


def hardest_record(task: TaskResults, texts: Mapping[int, str]) -> dict[str, Any]:
    """The hardest items that some classifier got wrong, JSON-able; one vote a classifier, its reference engine's."""
    shown = [group.shown for group in task.groups]
    answers = [task.answers[result.cell.id] for result in shown if result and result.cell.id in task.answers]
    if not answers:
        return {"classifiers": 0, "items": 0, "wrong": 0, "rows": []}
    hard = hard_items(answers, len(task.data.class_names))
    some_wrong = int((hard.wrong > 0).sum())
    return {
        "classifiers": len(answers),
        "items": len(hard.ids),
        "wrong": some_wrong,
        "rows": [_hard_row(hard, at, texts) for at in range(min(MOST_HARD, some_wrong))],
    }


def _hard_row(hard: HardItems, at: int, texts: Mapping[int, str]) -> dict[str, Any]:
    answers = hard.answers[at].copy()
    answers[hard.labels[at]] = 0
    return {
        "id": int(hard.ids[at]),
        "text": item_text(texts, int(hard.ids[at])),
        "label": int(hard.labels[at]),
        "answer": int(answers.argmax()),
        "wrong": int(hard.wrong[at]),
        "answered": int(hard.answered[at]),
        "probability": round(float(hard.probability[at]), 4),
    }


def flips_record(task: TaskResults, texts: Mapping[int, str]) -> dict[str, Any]:
    """Answers that another engine changed, the clearest first, JSON-able; a few an engine, so that none fills the list.

    The margin is the reference engine's gap between its two most probable classes.
    """
    flipping = [
        (group, result)
        for group, result in task.cells()
        if result.parity and result.parity.flips and not is_reference(result)
    ]
    kept = [entry for group, result in flipping for entry in _clearest(group, result)]
    chosen = sorted(kept, key=lambda entry: (-entry[2].margin, entry[2].id))[:MOST_FLIPS]
    labels = _labels(task, {result.cell.id for _, result, _ in chosen})
    total = sum(
        round((1 - result.parity.equal_labels) * result.parity.items) for _, result in task.cells() if result.parity
    )
    return {
        "total": total,
        "a_row": MOST_FLIPS_A_ROW,
        "rows": [_flip_row(group, result, flip, labels, texts) for group, result, flip in chosen],
    }


def _clearest(group: Group, result: Result) -> Iterator[tuple[Group, Result, Flip]]:
    for flip in nlargest(MOST_FLIPS_A_ROW, result.parity.flips if result.parity else (), key=lambda flip: flip.margin):
        yield group, result, flip


def _labels(task: TaskResults, cells: set[str]) -> dict[str, dict[int, int]]:
    """True labels by item id, of the rows whose answers are there."""
    found = {cell: task.answers[cell] for cell in cells if cell in task.answers}
    return {cell: dict(zip(each.ids.tolist(), each.labels.tolist(), strict=True)) for cell, each in found.items()}


def _flip_row(
    group: Group, result: Result, flip: Flip, labels: Mapping[str, Mapping[int, int]], texts: Mapping[int, str]
) -> dict[str, Any]:
    return {
        "id": flip.id,
        "text": item_text(texts, flip.id),
        "classifier": clean(group.name),
        "engine": clean(result.cell.engine or ""),
        "label": labels.get(result.cell.id, {}).get(flip.id),
        "reference": flip.reference,
        "answer": flip.label,
        "margin": round(flip.margin, 4),
    }


def item_text(texts: Mapping[int, str], item: int) -> str | None:
    """The text with its line breaks, without control characters; None where the run kept no texts."""
    text = texts.get(item)
    return None if text is None else "\n".join(map(clean, text.splitlines()))
