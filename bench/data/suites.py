"""Reads suites, a task's classes, prompt and sources, from one TOML file each in bench/data/suites/."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from bench.data.prompts import check_prompt
from bench.errors import unknown_name
from bench.files.toml import check_fields, read_toml
from bench.types import Prompt, Record

SUITES = Path(__file__).parent / "suites"


class HubFiles(Record):
    """Files of a Hugging Face data set at a pinned revision; without `test` one is cut from train."""

    repo: str
    revision: str
    train: str
    test: str | None = None
    validation: str | None = None
    text_column: str
    label_column: str
    classes: tuple[str, ...]
    licence: str | None = None
    note: str | None = None


class PackagedFiles(Record):
    """Texts inside a package's archive: the asset that holds them and the reader that knows their format."""

    asset: str
    reader: str
    note: str | None = None


class Suite(Record):
    """One named task. `folder` is its name in a data directory; `remove` is a pattern taken out of every text.

    `test_of_train` is the share of train that is cut off as test, where the source's own test split is not to be used.
    """

    name: str
    title: str
    language: str
    class_names: tuple[str, ...]
    prompt: Prompt
    folder: str
    hub: HubFiles | None = None
    package: PackagedFiles | None = None
    sample: str | None = None
    remove: str | None = None
    test_of_train: float | None = None
    note: str | None = None


def suite_names() -> list[str]:
    """Every suite, each followed by its variants ("weibo", "weibo/tags-stripped")."""
    return list(_suites())


def load_suite(name: str) -> Suite:
    """The suite of that name; raises UsageError with the nearest names when there is none."""
    suites = _suites()
    if name not in suites:
        raise unknown_name("suite", name, suites)
    return suites[name]


@cache
def _suites() -> dict[str, Suite]:
    found: dict[str, Suite] = {}
    for path in sorted(SUITES.glob("*.toml")):
        content = read_toml(path)
        variants = content.pop("variants", {})
        found[path.stem] = _suite(path, {**content, "name": path.stem, "folder": path.stem})
        for variant, changes in variants.items():
            name = f"{path.stem}/{variant}"
            found[name] = _suite(path, {**content, **changes, "name": name, "folder": path.stem})
    return found


def _suite(path: Path, content: dict[str, Any]) -> Suite:
    suite = check_fields(Suite, content, str(path))
    check_prompt(suite.prompt, suite.class_names, str(path))
    return suite
