"""Keeps what a page shows beside the figures: the texts of test items and the raw latencies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import StoreError
from bench.results.records import Evidence
from bench.results.store import inside, read_latencies, write_parquet
from bench.types import Dataset

TEXTS = "texts"
STORED_CHARACTERS = 500
NO_SEPARATORS = str.maketrans(dict.fromkeys("/\\.\0", "-"))


def store_texts(folder: Path, data: Dataset) -> None:
    """Keep the first characters of every test text, once a task; the page shows the hardest of them."""
    path = _texts_path(folder, data.fingerprint)
    if not path.exists():
        texts = [_shortened(text) for text in data.test.texts]
        write_parquet(path, pa.table({"id": data.test.ids.astype(np.int64), "text": pa.array(texts, pa.string())}))


def _shortened(text: str) -> str:
    return text if len(text) <= STORED_CHARACTERS else text[: STORED_CHARACTERS - 1] + "…"


def evidence_of(folder: Path) -> Evidence:
    """What the folder holds, read when it is asked for; files that are not there are empty answers."""
    return Evidence(texts=partial(_read_texts, folder), latencies_ns=partial(_read_latencies, folder))


def _read_texts(folder: Path, fingerprint: str) -> Mapping[int, str]:
    path = _texts_path(folder, fingerprint)
    if not path.exists():
        return {}
    path = inside(folder, str(path.relative_to(folder)))
    try:
        table = pq.read_table(path)
        return dict(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))
    except (OSError, KeyError, pa.ArrowException) as error:
        raise StoreError(f"{path} cannot be read as texts ({error}); delete it, the page does without it") from error


def _read_latencies(folder: Path, name: str) -> np.ndarray:
    path = inside(folder, name)
    return read_latencies(path) if path.exists() else np.empty(0, dtype=np.int64)


def _texts_path(folder: Path, fingerprint: str) -> Path:
    return folder / TEXTS / f"{fingerprint[:16].translate(NO_SEPARATORS)}.parquet"
