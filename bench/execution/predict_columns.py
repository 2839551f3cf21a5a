"""Names the columns and fields that hold the answers beside the ones that a file has already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def answer_columns(answers: Sequence[dict[str, Any]], taken: Iterable[str]) -> dict[str, Any]:
    """Label, confidence and probabilities as columns; names that the file has already get "predicted_" before them."""
    known = set(taken)
    columns: dict[str, Any] = {}
    for before, answer in zip(_before(answers), answers, strict=True):
        found = {"label": answer["label"], "confidence": answer["confidence"]}
        found |= {f"probability of {name}": value for name, value in answer["probabilities"].items()}
        columns |= {_free_name(f"{before}{name}", known): value for name, value in found.items()}
    return columns


def beside_record(answers: Sequence[dict[str, Any]], record: dict[str, Any]) -> dict[str, Any]:
    known = set(record)
    return {
        _free_name(f"{before}{key}", known): answer[key]
        for before, answer in zip(_before(answers), answers, strict=True)
        for key in ("label", "confidence", "probabilities")
    }


def _before(answers: Sequence[dict[str, Any]]) -> list[str]:
    """What stands before the columns of each of several models: its folder's name, or as much as tells them apart."""
    if len(answers) == 1:
        return [""]
    names = [Path(answer["model"]).name for answer in answers]
    whole = len(set(names)) < len(names)
    return [f"{answer['model'] if whole else name}." for name, answer in zip(names, answers, strict=True)]


def _free_name(name: str, known: set[str]) -> str:
    while name in known:
        name = f"predicted_{name}"
    return name
