"""Looks at a data set as a whole: what stands in it twice, with two labels, or with a label that is likely wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import ValidationError

from bench.data.checks.duplicates import Duplicates, conflicting, find_duplicates
from bench.data.checks.label_errors import LabelErrors, find_label_errors, overlapping_classes
from bench.data.tables import shortened
from bench.files.cache import cache_dir, write_whole
from bench.types import DataCheck, Dataset, Progress, Record, Split

PARTS = ("test", "validation", "train")  # of many texts only the first are compared: all of test must be among them
LISTED_ERRORS = 20
LISTED_SHARE = 0.05
LISTED_PAIRS = 5
MOST_JUDGED = 20_000  # texts of the other parts that are judged beside all of test; keeps the look to seconds


class Doubt(Record):
    """A label that is likely wrong: where it stands (row of its part's file, from 1), what it is, what it may be."""

    part: str
    row: int
    text: str
    label: str
    likely: str
    probability: float


class Twin(Record):
    """Two texts that are the same or nearly, where they stand and what their labels are."""

    first: str
    second: str
    text: str
    labels: tuple[str, str]
    similarity: float


class Findings(Record):
    """All that a look at the texts found, with examples.

    overlap: classes taken for others, as (label, likely class, share of the label's texts).
    """

    check: DataCheck
    doubts: tuple[Doubt, ...] = ()
    twins: tuple[Twin, ...] = ()
    conflicts: tuple[Twin, ...] = ()
    overlap: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True)
class _All:
    """The rows of all parts one after another."""

    texts: list[str]
    labels: np.ndarray
    ids: np.ndarray
    parts: np.ndarray

    def place(self, row: int) -> str:
        return f"{PARTS[self.parts[row]]} row {self.ids[row] + 1}"


def check_dataset(data: Dataset, progress: Progress | None = None, thorough: bool = False) -> Findings:
    """Look at the texts of a data set; what was found before is taken from the cache.

    thorough: judge every label and list the likeliest errors up to LISTED_SHARE of the texts; minutes for many texts.
    """
    path = cache_dir() / "checks" / f"{data.fingerprint[:32]}{'-thorough' if thorough else ''}.json"
    try:
        return Findings.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        pass
    if progress is not None:
        progress("looking at the texts", 0, 1)
    findings = _look(data, thorough)
    try:
        write_whole(path, json.dumps(findings.model_dump(), ensure_ascii=False).encode("utf-8"))
    except OSError:
        return findings  # a cache that cannot be written costs seconds at the next run, no figure
    return findings


def with_check(data: Dataset, progress: Progress | None = None) -> Dataset:
    """The data set with what was found, and notes that say it."""
    check = check_dataset(data, progress).check
    return replace(data, check=check, notes=(*data.notes, *check_notes(check, len(data.test))))


def check_notes(check: DataCheck, test: int) -> tuple[str, ...]:
    """What a reader of a table has to know of the texts."""
    notes = []
    if check.leaked:
        notes.append(f"{check.leaked:,} of {test:,} test texts are near duplicates of texts in train or validation")
    if check.conflicting:
        notes.append(f"{check.conflicting:,} texts occur with two labels")
    if check.doubtful_test:
        notes.append(
            f"{len(check.doubtful_test):,} of {test:,} test labels are doubtful (confident learning by TF-IDF; "
            "`bench inspect` lists them)"
        )
    return tuple(notes)


def _look(data: Dataset, thorough: bool) -> Findings:
    every = _all_parts([data.test, data.validation, data.train])
    found = find_duplicates(every.texts)
    split = conflicting(found.groups, every.labels)
    twins = _twins(found, every, data.class_names)
    judged = _judge(every, None if thorough else MOST_JUDGED)
    errors = find_label_errors(
        [every.texts[row] for row in judged], every.labels[judged], len(data.class_names), data.language
    )
    listed = max(LISTED_ERRORS, round(LISTED_SHARE * len(judged)) if thorough else 0)
    doubts = _doubts(errors, every, judged, data.class_names, listed) if errors else ()
    check = DataCheck(
        texts=len(every.texts),
        duplicates=sum(len(group) - 1 for group in found.groups),
        near=len(found.near),
        leaked=_leaked(found, every),
        conflicting=len(split),
        doubtful=int(errors.doubtful.sum()) if errors else None,
        doubtful_test=_doubtful_test(errors, every, judged) if errors else (),
    )
    return Findings(
        check=check,
        doubts=doubts,
        twins=twins,
        conflicts=tuple(_twin(every, group[0], _other(every, group), 1.0, data.class_names) for group in split[:5]),
        overlap=tuple(
            (data.class_names[i], data.class_names[j], share) for i, j, share in overlapping_classes(errors)
        ) if errors else (),
    )  # fmt: skip


def _all_parts(splits: Sequence[Split]) -> _All:
    return _All(
        [text for split in splits for text in split.texts],
        np.concatenate([split.labels for split in splits]),
        np.concatenate([split.ids for split in splits]),
        np.repeat(np.arange(len(splits)), [len(split) for split in splits]),
    )


def _judge(every: _All, most: int | None) -> np.ndarray:
    """Rows whose labels are judged: all of test, and of the others, which are in a stratified order, the first."""
    others = np.flatnonzero(every.parts != PARTS.index("test"))[:most]
    return np.concatenate([np.flatnonzero(every.parts == PARTS.index("test")), others])


def _leaked(found: Duplicates, every: _All) -> int:
    """Test rows that share their text, exactly or nearly, with a row of another part."""
    test = PARTS.index("test")
    leaked = set()
    for group in (*found.groups, *((pair.first, pair.second) for pair in found.near)):
        parts = every.parts[list(group)]
        if (parts == test).any() and (parts != test).any():
            leaked |= {row for row, part in zip(group, parts, strict=True) if part == test}
    return len(leaked)


def _other(every: _All, group: Sequence[int]) -> int:
    return next(row for row in group if every.labels[row] != every.labels[group[0]])


def _twin(every: _All, first: int, second: int, similarity: float, names: Sequence[str]) -> Twin:
    return Twin(
        first=every.place(first),
        second=every.place(second),
        text=shortened(every.texts[first], 80),
        labels=(names[every.labels[first]], names[every.labels[second]]),
        similarity=similarity,
    )


def _twins(found: Duplicates, every: _All, names: Sequence[str]) -> tuple[Twin, ...]:
    """The first exact and the most similar near duplicates; those that cross parts first."""
    exact = [(group[0], group[1], 1.0) for group in found.groups]
    near = [(pair.first, pair.second, pair.similarity) for pair in found.near]
    ordered = sorted([*exact, *near], key=lambda pair: every.parts[pair[0]] == every.parts[pair[1]])
    return tuple(_twin(every, *pair, names) for pair in ordered[:LISTED_PAIRS])


def _doubts(errors: LabelErrors, every: _All, judged: np.ndarray, names: Sequence[str], most: int) -> tuple[Doubt, ...]:
    doubts = []
    for at in errors.order[:most]:
        row = int(judged[at])
        likely = int(errors.probabilities[at].argmax())
        if likely != every.labels[row]:
            doubts.append(
                Doubt(
                    part=PARTS[every.parts[row]],
                    row=int(every.ids[row]) + 1,
                    text=shortened(every.texts[row], 100),
                    label=names[every.labels[row]],
                    likely=names[likely],
                    probability=float(errors.probabilities[at, likely]),
                )
            )
    return tuple(doubts)


def _doubtful_test(errors: LabelErrors, every: _All, judged: np.ndarray) -> tuple[int, ...]:
    rows = (int(judged[at]) for at in errors.order if errors.doubtful[at])
    return tuple(int(every.ids[row]) for row in rows if every.parts[row] == PARTS.index("test"))
