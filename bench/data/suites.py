"""Reads suites: a task's classes, prompt and sources, a TOML file each; in bench/data/suites/ and a user's own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from bench.data.hub_data import HUB_PREFIX
from bench.data.prompts import OwnPrompt, check_prompt, read_prompt
from bench.data.reading import Reading
from bench.errors import UsageError, unknown_name
from bench.files.toml import check_fields, read_toml, read_users_toml
from bench.types import Prompt, Record

SUITES = Path(__file__).parent / "suites"
OWN_SUFFIX = ".toml"


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


class OwnSuite(Record):
    """A user's task: `data` is a file, a folder or hf:org/name; what is None the data itself says.

    The other fields are those of `Reading`, as the options of the command line of the same names.
    """

    name: str
    data: Path
    title: str | None = None
    class_names: tuple[str, ...] | None = None
    prompt: OwnPrompt | None = None
    note: str | None = None
    licence: str | None = None
    reading: Reading = Reading()


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


def is_own(name: str) -> bool:
    """Whether `--suite` names a user's file rather than a built-in suite."""
    return name.endswith(OWN_SUFFIX)


def load_own_suite(path: Path) -> OwnSuite:
    """A user's file: the fields of OwnSuite and of Reading side by side; `data` counts from the file's folder.

    Raises UsageError that says what is wrong with the file.

    Example (reviews.toml):
        data = "reviews.csv"
        text_column = "review"
        label_map = { "1" = "bad", "5" = "good" }
    """
    content = read_users_toml(path, "--suite")
    if path.stem in _suites():
        raise UsageError(f"{path}: '{path.stem}' is the name of a built-in suite; give the file another name")
    if "data" not in content:
        raise UsageError(f"{path}: data is missing; name a file, a folder or hf:org/name, counted from this file")
    reading = {field: content.pop(field) for field in Reading.model_fields if field in content}
    if isinstance(labels := reading.get("label_map"), dict):
        reading["label_map"] = tuple(labels.items())
    data = str(content["data"])
    content["data"] = Path(data) if data.startswith(HUB_PREFIX) else path.parent / Path(data).expanduser()
    prompt = read_prompt(content.pop("prompt"), str(path)) if "prompt" in content else None
    return check_fields(OwnSuite, {**content, "name": path.stem, "prompt": prompt, "reading": reading}, str(path))
