"""Small labelled files of one's own, and what preparing them gives or refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.data.assembly import Limits
from bench.data.datasets import prepare_own_dataset
from bench.data.reading import AS_IT_IS
from bench.errors import DataError
from bench.types import Dataset, Split

ALL = Limits()


def write_tsv(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    return path


def numbered(counts: dict[str, int], start: int = 0) -> list[tuple[str, str]]:
    return [(f"text {label} {start + at}", label) for label, count in counts.items() for at in range(count)]


def own(path: Path, limits: Limits = ALL) -> Dataset:
    return prepare_own_dataset(path, AS_IT_IS, limits, None)


def refusal(path: Path, limits: Limits = ALL) -> str:
    with pytest.raises(DataError) as caught:
        own(path, limits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def ids(split: Split) -> set[int]:
    return set(split.ids.tolist())
