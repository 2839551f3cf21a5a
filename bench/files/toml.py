"""Reads TOML files, the harness's own and the user's, and says what is wrong with one: file, place and reason."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bench.errors import UsageError
from bench.types import first_problem

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a file that the harness brings along."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def read_users_toml(path: Path, option: str) -> dict[str, Any]:
    """The content of a user's file; raises UsageError that names the option it came by and what is wrong."""
    try:
        return read_toml(path)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{option} {path} is not TOML: {error}") from error


def check_fields(kind: type[Model], fields: Mapping[str, Any], where: str) -> Model:
    """The record that a table of the file makes; raises UsageError with `where`, the key and what is wrong with it."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise UsageError(f"{where}: {first_problem(error)}") from error
