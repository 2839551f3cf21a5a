"""Turns the keywords of `bench.run` into the request that `bench run` makes of its options."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.data.reading import Reading
from bench.plan.prompts import OwnPrompts, read_question, read_template
from bench.plan.request import RunRequest
from bench.plan.shards import parse_shard

Names = str | Iterable[str]
AnyPath = str | os.PathLike[str]

SPREAD = ("shard", "store", "jobs", "devices", "executor", "ray_address", "ray_accelerator", "with_classifiers")
_RENAMED = {"backends": "engines", "backends_file": "engines_file"}


def make_request(given: Mapping[str, Any]) -> RunRequest:
    """The request; `given`: a value for every parameter of `bench.run`, None for the default."""
    settled = {name: _SETTLE[name](value) if name in _SETTLE else value for name, value in given.items()}
    reading = Reading(**{name: settled.pop(name) for name in Reading.model_fields})
    prompts = OwnPrompts(
        templates=settled.pop("prompts"),
        question=settled.pop("question"),
        label_words=settled.pop("label_words"),
        descriptions=settled.pop("descriptions"),
    )
    named = {_RENAMED.get(name, name): value for name, value in settled.items()}
    return RunRequest(reading=reading, prompts=prompts, **named)


def take_spread(given: Mapping[str, Any]) -> dict[str, Any]:
    """How `bench.run` is spread over workers: `given` has a value for each of SPREAD."""
    shard, store, devices = given["shard"], given["store"], given["devices"]
    return {
        **given,
        "shard": parse_shard(shard) if shard else None,
        "store": None if store is None else os.fspath(store),
        "devices": None if devices is None else ",".join(_names(devices) or ()),
    }


def _names(given: Names | None) -> tuple[str, ...] | None:
    """Names as the command line takes them: one string with commas, or several."""
    if given is None:
        return None
    names = given.split(",") if isinstance(given, str) else given
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _path(given: AnyPath | None) -> Path | None:
    return None if given is None else Path(given)


def _settings(given: Mapping[str, object] | None) -> tuple[str, ...]:
    """As --set reads them: true and false as TOML writes them."""
    written = {name: str(value).lower() if isinstance(value, bool) else value for name, value in (given or {}).items()}
    return tuple(f"{name}={value}" for name, value in written.items())


def _templates(given: Names | None) -> tuple[str, ...]:
    templates = (given,) if isinstance(given, str) else tuple(given or ())
    return tuple(dict.fromkeys(map(read_template, templates)))


_SETTLE: dict[str, Callable[[Any], Any]] = {
    "suites": lambda given: _names(given) or (),
    "scenarios": lambda given: _names(given) or (),
    "bases": lambda given: _names(given) or (),
    "methods": _names,
    "backends": _names,
    "data": _path,
    "recipes": _path,
    "backends_file": _path,
    "out": _path,
    "settings": _settings,
    "label_map": lambda given: tuple((given or {}).items()),
    "prompts": _templates,
    "question": lambda given: None if given is None else read_question(given),
    "label_words": lambda given: dict(given) if given else None,
    "descriptions": lambda given: dict(given) if given else None,
}
