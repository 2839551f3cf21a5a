"""A task's texts, ready to be used: checked, cut into train, validation and test, limited, saved and opened."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.hub_data import HUB_PREFIX
from bench.data.labels import nearest_spelling, refuse_shifted, settle_labels
from bench.data.parts import stem_of
from bench.data.prompts import own_wording
from bench.data.reading import AS_IT_IS, Reading
from bench.data.sources import Raw, open_path, suite_source
from bench.data.suites import Suite
from bench.data.tables import Table
from bench.errors import DataError
from bench.text.language import detect_language
from bench.text.splits import stratified_cut, stratified_order
from bench.types import DataCard, DataCheck, Dataset, Progress, Prompt, Source, Split, SplitSizes

VALIDATION_SHARE = 0.1
# A limited train split keeps at most a quarter as many validation texts, so that choosing costs less than training.
VALIDATION_OF_LIMIT = 0.25
LISTED_CLASSES = 20
LISTED_UNTESTED = 5
FILES = {"train": "train.parquet", "validation": "validation.parquet", "test": "test.parquet"}


@dataclass(frozen=True)
class Limits:
    """The most texts to use of each split; None is all of them."""

    train: int | None = None
    test: int | None = None


def prepare_dataset(
    suite: Suite, data: Path | None, limits: Limits, progress: Progress | None, reading: Reading = AS_IT_IS
) -> Dataset:
    """The suite's texts from the first source that has them; `data` (or BENCH_DATA) comes first.

    Raises DataError for unusable data and NotAvailable when no source has the suite.
    """
    chosen = data if data is not None else _from_environment()
    raw = suite_source(suite, chosen, reading, progress)
    if raw.source.kind == "local":
        raw = _settled(raw, reading, named=True)
        refuse_shifted(_tables(raw), raw.classes or suite.class_names)
    if suite.remove is not None:
        raw = _without(raw, suite.remove)
    if suite.test_of_train is not None:
        raw = replace(raw, test=None, test_share=suite.test_of_train)
    if suite.note is not None:
        raw = replace(raw, notes=(suite.note, *raw.notes))
    if chosen is not None and raw.source.kind != "local":
        raw = replace(raw, notes=(*raw.notes, f"{chosen} has no data for '{suite.folder}'"))
    language = reading.language or suite.language
    prompt = own_wording(suite.prompt, raw.prompt, suite.class_names, raw.source.name)
    return _assemble(raw, suite.name, suite.title, language, suite.class_names, prompt, limits)


def prepare_own_dataset(path: Path, reading: Reading, limits: Limits, progress: Progress | None) -> Dataset:
    """A user's own texts: labels inferred, numeric ones in numeric order; one file is cut 80/20 into train and test."""
    if progress is not None:
        progress(f"reading {path.name}", 0, 1)
    raw = open_path(path, reading)
    raw = _settled(raw, reading, named=raw.classes is not None)
    if raw.classes is not None:
        refuse_shifted(_tables(raw), raw.classes)
    class_names = raw.classes or _infer_classes(raw)
    language = reading.language or raw.language or detect_language(raw.train.texts)
    prompt = own_wording(_own_prompt(class_names), raw.prompt, class_names, raw.source.name)
    return _assemble(raw, own_name(path), raw.title or path.name, language, class_names, prompt, limits)


def own_name(path: Path) -> str:
    """What a user's data set is called: the file's or folder's name without its endings."""
    if str(path).startswith(HUB_PREFIX):
        stem = str(path).removeprefix(HUB_PREFIX)
    else:
        stem = stem_of(path.resolve()) if path.is_file() else path.resolve().name
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "data"


def _own_prompt(class_names: tuple[str, ...]) -> Prompt:
    """The label words are the names; many of them are not listed, or they would leave the text no room."""
    question = "Which class is it: {options}?" if len(class_names) <= LISTED_CLASSES else "Which class is it?"
    return Prompt(template=f"Text: {{text}}\n\n{question}\nClass:", label_words=class_names)


def _from_environment() -> Path | None:
    chosen = os.environ.get("BENCH_DATA")
    return Path(chosen).expanduser() if chosen else None


# ---------------------------------------------------------------- labels


def _tables(raw: Raw) -> dict[str, Table]:
    parts = {"train": raw.train, "validation": raw.validation, "test": raw.test}
    return {part: table for part, table in parts.items() if table is not None}


def _settled(raw: Raw, reading: Reading, named: bool) -> Raw:
    """With one spelling a class in every part, and what has to be said of the labels."""
    tables, notes = settle_labels(_tables(raw), reading.label_map, named)
    return replace(
        raw,
        train=tables["train"],
        validation=tables.get("validation"),
        test=tables.get("test"),
        notes=(*raw.notes, *notes),
    )


def _infer_classes(raw: Raw) -> tuple[str, ...]:
    """Every label of every split, so that a label which train lacks is found by the check for it."""
    labels = {label for table in (raw.train, raw.validation, raw.test) if table for label in table.labels}
    return tuple(sorted(labels, key=_numeric_order))


def _numeric_order(label: str) -> tuple[int, float, str]:
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


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


# ---------------------------------------------------------------- splits


def _assemble(
    raw: Raw,
    name: str,
    title: str,
    language: str,
    class_names: tuple[str, ...],
    prompt: Prompt,
    limits: Limits,
) -> Dataset:
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
    used = _limited(test, limits.test, None)
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
        train=_limited(train, limits.train, len(class_names)),
        validation=_limited(validation, _validation_limit(limits.train, len(class_names)), None),
        test=used,
        full_sizes=SplitSizes(train=len(train), validation=len(validation), test=len(test)),
        source=raw.source,
        prompt=prompt,
        notes=notes,
        own_test=raw.test is not None and "validation" not in raw.test.path.name,
    )


def _cut(split: Split, share: float) -> tuple[Split, Split]:
    kept, cut = stratified_cut(split.labels, share)
    if not len(cut):
        raise DataError(f"{len(split)} texts are too few to cut a test and a validation part off; give more")
    return split.take(kept), split.take(cut)


def _limited(split: Split, limit: int | None, classes: int | None) -> Split:
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


def _without(raw: Raw, pattern: str) -> Raw:
    """All tables with the pattern taken out of their texts; texts that become empty are dropped."""
    compiled = re.compile(pattern)
    tables: dict[str, Any] = {}
    dropped = 0
    for split in ("train", "validation", "test"):
        table: Table | None = getattr(raw, split)
        if table is None:
            continue
        texts = [compiled.sub("", text) for text in table.texts]
        kept = [row for row, text in enumerate(texts) if text.strip()]
        dropped += len(texts) - len(kept)
        tables[split] = replace(
            table,
            texts=[texts[row] for row in kept],
            labels=[table.labels[row] for row in kept],
            lines=[table.lines[row] for row in kept],
            rows=kept,
        )
    left_out = f"{dropped:,} of the texts held nothing but tags and {'is' if dropped == 1 else 'are'} left out"
    return replace(raw, notes=(*raw.notes, left_out) if dropped else raw.notes, **tables)


# ---------------------------------------------------------------- on disk


def save_dataset(dataset: Dataset, folder: Path) -> None:
    """Write three parquet files (id, label, text) and dataset.json."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for split, file in FILES.items():
        part: Split = getattr(dataset, split)
        table = pa.table({"id": part.ids, "label": part.labels, "text": pa.array(part.texts, pa.large_string())})
        pq.write_table(table, folder / file)
    about = {
        "name": dataset.name,
        "title": dataset.title,
        "language": dataset.language,
        "class_names": list(dataset.class_names),
        "full_sizes": dataset.full_sizes.model_dump(),
        "source": dataset.source.model_dump(),
        "prompt": dataset.prompt.model_dump(),
        "notes": list(dataset.notes),
        "check": dataset.check and dataset.check.model_dump(),
        "own_test": dataset.own_test,
        "fingerprint": dataset.fingerprint,
    }
    (folder / "dataset.json").write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")


def open_dataset(folder: Path) -> Dataset:
    """Read what save_dataset wrote; raises DataError when it is not whole or its fingerprint differs."""
    try:
        about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        dataset = Dataset(
            name=about["name"],
            title=about["title"],
            language=about["language"],
            class_names=tuple(about["class_names"]),
            train=_open_split(folder / FILES["train"]),
            validation=_open_split(folder / FILES["validation"]),
            test=_open_split(folder / FILES["test"]),
            full_sizes=SplitSizes.model_validate(about["full_sizes"]),
            source=Source.model_validate(about["source"]),
            prompt=Prompt.model_validate(about["prompt"]),
            notes=tuple(about["notes"]),
            check=DataCheck.model_validate(about["check"]) if about.get("check") else None,
            own_test=about["own_test"],
        )
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder} holds no prepared data ({error}); delete it and run again") from error
    if dataset.fingerprint != about["fingerprint"]:
        raise DataError(f"{folder} is damaged: its texts are not those that were prepared; delete it and run again")
    return dataset


def find_stored(cache: Path, card: DataCard) -> Path | None:
    """The folder of the cache that holds the prepared texts of this card; None when none does."""
    for folder in sorted((cache / "datasets").glob(f"{card.task.replace('/', '-')}-*")):
        try:
            about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if about.get("fingerprint") == card.fingerprint:
            return folder
    return None


def _open_split(path: Path) -> Split:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return Split(
        tuple(table.column("text").to_pylist()),
        table.column("label").to_numpy().astype(np.int64),
        table.column("id").to_numpy().astype(np.int64),
    )
