"""Makes a task's texts ready to be used: checked, cut into train, validation and test, limited."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.data.assembly import Limits, assemble
from bench.data.hub_data import HUB_PREFIX
from bench.data.labels import refuse_shifted, settle_labels
from bench.data.parts import stem_of
from bench.data.prompts import own_wording
from bench.data.reading import AS_IT_IS, Reading
from bench.data.sources import Raw, open_path, suite_source
from bench.data.suites import OwnSuite, Suite
from bench.data.tables import Table
from bench.text.language import detect_language, language_code
from bench.types import Dataset, Progress, Prompt

LISTED_CLASSES = 20


def prepare_dataset(
    suite: Suite, data: Path | None, limits: Limits, progress: Progress | None, reading: Reading = AS_IT_IS
) -> Dataset:
    """The suite's texts from the first source that has them; `data` (or BENCH_DATA) comes first.

    Raises DataError for unusable data and NotAvailable when no source has the suite.
    """
    chosen = data if data is not None else _from_environment()
    raw = suite_source(suite, chosen, reading, progress)
    if raw.source.kind == "local":
        raw = _settle(raw, reading, named=True)
        refuse_shifted(_tables(raw), raw.classes or suite.class_names)
    if suite.remove is not None:
        raw = _without(raw, suite.remove)
    if suite.test_of_train is not None:
        raw = replace(raw, test=None, test_share=suite.test_of_train)
    if suite.note is not None:
        raw = replace(raw, notes=(suite.note, *raw.notes))
    if chosen is not None and raw.source.kind != "local":
        raw = replace(raw, notes=(*raw.notes, f"{chosen} has no data for '{suite.folder}'"))
    language = language_code(reading.language or suite.language)
    prompt = own_wording(suite.prompt, raw.prompt, suite.class_names, f"{raw.source.name}/dataset.json")
    return assemble(raw, suite.name, suite.title, language, suite.class_names, prompt, limits)


def prepare_own_dataset(path: Path, reading: Reading, limits: Limits, progress: Progress | None) -> Dataset:
    """A user's own texts: labels inferred, numeric ones in numeric order; one file is cut 80/20 into train and test."""
    return prepare_own_suite(OwnSuite(name=own_name(path), data=path), reading, limits, progress)


def prepare_own_suite(suite: OwnSuite, reading: Reading, limits: Limits, progress: Progress | None) -> Dataset:
    """A user's own texts as their TOML file describes them; what `reading` says, from the command line, comes first."""
    path = suite.data
    if progress is not None:
        progress(f"reading {path.name}", 0, 1)
    reading = suite.reading.model_copy(update=reading.model_dump(exclude_defaults=True))
    raw = _describe(open_path(path, reading), suite)
    raw = _settle(raw, reading, named=raw.classes is not None)
    if raw.classes is not None:
        refuse_shifted(_tables(raw), raw.classes)
    class_names = raw.classes or _infer_classes(raw)
    language = language_code(reading.language or raw.language or detect_language(raw.train.texts))
    own, where = (suite.prompt, f"{suite.name}.toml") if suite.prompt else (raw.prompt, f"{path}/dataset.json")
    prompt = own_wording(_own_prompt(class_names), own, class_names, where)
    return assemble(raw, suite.name, raw.title or path.name, language, class_names, prompt, limits)


def _describe(raw: Raw, suite: OwnSuite) -> Raw:
    """What the user's TOML says of the data stands above what the data says of itself."""
    source = raw.source.model_copy(
        update={key: value for key in ("licence", "note") if (value := getattr(suite, key)) is not None}
    )
    return replace(raw, source=source, classes=suite.class_names or raw.classes, title=suite.title or raw.title)


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


def _settle(raw: Raw, reading: Reading, named: bool) -> Raw:
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
    """Every label of every split, so that a label which train lacks is found by the check for it.

    In the order in which the source numbers them, where it does: the outputs of models trained on it mean that.
    """
    labels = {label for table in (raw.train, raw.validation, raw.test) if table for label in table.labels}
    if labels <= set(raw.train.classes):
        return tuple(name for name in raw.train.classes if name in labels)
    return tuple(sorted(labels, key=_numeric_order))


def _numeric_order(label: str) -> tuple[int, float, str]:
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


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
