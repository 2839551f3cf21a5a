"""Defines the names of kinds and the base of everything that is stored as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

SCHEMA_VERSION = 1

ClassifierKind = Literal["sequence", "embedding", "options", "generate", "network", "matching", "linear", "served"]
Precision = Literal["fp32", "fp16", "bf16", "int8", "unstated"]
Scenario = Literal["single", "offline", "server"]
ModelSet = Literal["small", "published"]
WeightsChoice = Literal["trained", "random"]

REMOTE = "endpoint"  # the device of what runs behind a network address


def first_problem(error: ValidationError) -> str:
    """What is wrong with the first of a record's fields that are: its place and pydantic's sentence."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"


class Record(BaseModel):
    """Base of everything that is stored as JSON: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")
