"""Saves a task's prepared texts, and opens them again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bench.errors import DataError
from bench.types import DataCard, DataCheck, Dataset, Prompt, Source, Split, SplitSizes

FILES = {"train": "train.parquet", "validation": "validation.parquet", "test": "test.parquet"}


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
