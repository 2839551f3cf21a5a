"""Makes a data set of tables: labels as numbers, parts cut off and limited, what has to be said of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.data.labels import nearest_spelling
from bench.data.sources import Raw
from bench.data.tables import Table
from bench.errors import DataError
from bench.text.splits import cut_stratified, stratified_order
from bench.types import Dataset, Prompt, Split, SplitSizes

VALIDATION_SHARE = 0.1
# A limited train split keeps at most a quarter as many validation texts, so that choosing costs less than training.
VALIDATION_OF_LIMIT = 0.25
LISTED_UNTESTED = 5


@dataclass(frozen=True)
class Limits:
    """The most texts to use of each split; None is all of them."""

    train: int | None = None
    test: int | None = None


def _label_numbers(class_names: tuple[str, ...], listed: tuple[str, ...] | None) -> dict[str, int]:
    """Which labels a file may hold: the names of the classes, or numbers in the order that the source lists them."""
    if listed is not None and set(listed) != set(class_names):
        raise DataError(f"the data's classes ({', '.join(listed)}) are not the suite's ({', '.join(class_names)})")
    names = {name: at for at, name in enumerate(class_names)}
    if any(name.isdecimal() for name in class_names):
        return names
    return {**names, **{str(at): names[name] for at, name in enumerate(listed or class_names)}}


def _encode(table: Table, numbers: dict[str, int], class_names: tuple[str, ...]) -> Split:
    labels = np.empty(len(table.labels), dtype=np.int64)
    for row, label in enumerate(table.labels):
        number = numbers.get(label)
        if number is None:
            near = nearest_spelling(label, class_names)
            hint = f"; is it {near}? --label-map '{label}={near}' says so" if near else ""
            raise DataError(f"{table.where(row)}: label '{label}' is none of {', '.join(class_names)}{hint}")
        labels[row] = number
    ids = np.arange(len(labels)) if table.rows is None else np.array(table.rows)
    return Split(tuple(table.texts), labels, ids.astype(np.int64))


def assemble(
    raw: Raw,
    name: str,
    title: str,
    language: str,
    class_names: tuple[str, ...],
    prompt: Prompt,
    limits: Limits,
) -> Dataset:
    """The data set of a source's tables; raises DataError for labels or parts that cannot be used.

    What is not given is cut off train, by a seeded stratified order: test by raw.test_share, then validation.
    """
    if len(class_names) < 2:
        raise DataError(f"{raw.train.path}: all texts have the label '{class_names[0]}'; two classes are needed")
    numbers = _label_numbers(class_names, raw.classes)
    train = _encode(raw.train, numbers, class_names)
    if raw.test is not None:
        test = _encode(raw.test, numbers, class_names)
        _refuse_unseen(raw, raw.test, train, test, class_names)
    else:
        train, test = _cut(train, raw.test_share)
    if raw.validation is not None:
        validation = _encode(raw.validation, numbers, class_names)
        _refuse_unseen(raw, raw.validation, train, validation, class_names)
    else:
        train, validation = _cut(train, VALIDATION_SHARE)
    _require_classes(raw, train, class_names)
    used = _limit(test, limits.test, None)
    notes = (
        *raw.notes,
        *_cut_notes(raw),
        *_untested_notes(used, class_names),
        *_overlap_notes(train, validation, test),
    )
    return Dataset(
        name=name,
        title=title,
        language=language,
        class_names=class_names,
        train=_limit(train, limits.train, len(class_names)),
        validation=_limit(validation, _validation_limit(limits.train, len(class_names)), None),
        test=used,
        full_sizes=SplitSizes(train=len(train), validation=len(validation), test=len(test)),
        source=raw.source,
        prompt=prompt,
        notes=notes,
        own_test=raw.test is not None and "validation" not in raw.test.path.name,
    )


def _cut(split: Split, share: float) -> tuple[Split, Split]:
    kept, cut = cut_stratified(split.labels, share)
    if not len(cut):
        raise DataError(f"{len(split)} texts are too few to cut a test and a validation part off; give more")
    return split.take(kept), split.take(cut)


def _limit(split: Split, limit: int | None, classes: int | None) -> Split:
    """The whole split in its stratified order, or the first `limit` of it."""
    if limit is not None and classes is not None and limit < classes:
        raise DataError(f"a limit of {limit} texts is below the {classes} classes; raise it")
    return split.take(stratified_order(split.labels)[:limit])


def _validation_limit(train_limit: int | None, classes: int) -> int | None:
    return None if train_limit is None else max(classes, round(VALIDATION_OF_LIMIT * train_limit))


def _refuse_unseen(raw: Raw, table: Table, train: Split, other: Split, class_names: tuple[str, ...]) -> None:
    seen = np.isin(other.labels, np.unique(train.labels))
    if not seen.all():
        row = int(np.flatnonzero(~seen)[0])
        name = class_names[other.labels[row]]
        near = nearest_spelling(name, (class_names[label] for label in np.unique(train.labels)))
        hint = f", '{near}' does; --label-map '{name}={near}' makes them one" if near else ""
        raise DataError(f"{table.where(row)}: label '{name}' never occurs in {raw.train.path.name}{hint}")


def _require_classes(raw: Raw, train: Split, class_names: tuple[str, ...]) -> None:
    missing = sorted(set(range(len(class_names))) - set(np.unique(train.labels).tolist()))
    if len(missing) == len(class_names) - 1:
        only = class_names[int(train.labels[0])]
        raise DataError(f"{raw.train.path}: all texts have the label '{only}'; two classes are needed")
    if missing:
        names = ", ".join(class_names[at] for at in missing)
        raise DataError(f"{raw.train.path} has no text of {names}; every class needs some to train on")


def _cut_notes(raw: Raw) -> tuple[str, ...]:
    if raw.test is not None:
        return ()
    return (f"test is a seeded, stratified {raw.test_share:.0%} of the texts (no test split was given)",)


def _untested_notes(test: Split, class_names: tuple[str, ...]) -> tuple[str, ...]:
    untested = sorted(set(range(len(class_names))) - set(np.unique(test.labels).tolist()))
    if not untested:
        return ()
    names = ", ".join(class_names[at] for at in untested[:LISTED_UNTESTED])
    more = ", ..." if len(untested) > LISTED_UNTESTED else ""
    count = f"{len(untested)} of {len(class_names)} classes have no test text"
    return (f"{count} ({names}{more}): macro averages leave them out",)


def _overlap_notes(train: Split, validation: Split, test: Split) -> tuple[str, ...]:
    fitted = set(train.texts) | set(validation.texts)
    both = sum(text in fitted for text in test.texts)
    return (f"{both:,} of {len(test):,} test texts are also in train or validation",) if both else ()
