"""Reads an OpenAI-compatible endpoint out of the options of an engine, and checks it; nothing else is done."""

from __future__ import annotations

import os
import unicodedata
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator

from bench.errors import UsageError, unknown_name
from bench.types import EngineSpec, Record, first_problem

LISTED_TEXTS = 16  # with 8 requests in flight; benchmarks/served.md shows what fewer and more cost


class EndpointOptions(Record):
    """Options of an engine whose backend is "endpoint". The key itself is never among them, only its variable's name.

    url: up to and with /v1. protocol: "tei" for Text Embeddings Inference, whose /predict is asked. concurrency:
    requests in flight when many texts are asked at once. texts_per_request: by default 1 for prompts and up to
    LISTED_TEXTS for /classify and /predict; completions take lists too. Timeouts in seconds: to connect, and for the
    whole of an answer. retries: how often a request is sent again after no connection, HTTP 429 or 5xx. body: fields
    added to every request, in the place of the harness's own; omit: fields that this server refuses. constrain: how the
    server is told which answers are permitted, by default as the software that it names itself does: "choice" (vLLM's
    structured outputs), "grammar" (llama.cpp's GBNF), else "json" (OpenAI's response_format with a JSON schema).
    """

    url: str
    protocol: Literal["openai", "tei"] = "openai"
    model: str = Field(min_length=1)
    key_env: str | None = None
    concurrency: int = Field(default=8, ge=1, le=1024)
    texts_per_request: int | None = Field(default=None, ge=1)
    connect_timeout_s: float = Field(default=5.0, gt=0)
    read_timeout_s: float = Field(default=60.0, gt=0)
    retries: int = Field(default=3, ge=0, le=10)
    body: dict[str, Any] = Field(default_factory=dict)
    omit: tuple[str, ...] = ()
    constrain: Literal["choice", "grammar", "json"] | None = None

    @field_validator("url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        """Results store the address, so that it must hold no secret."""
        parts = urlsplit(url := url.strip())
        try:
            known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number below 65,536
            known = False
        if not known or any(character.isspace() for character in url):
            raise ValueError("is no address such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must hold no user, password or query; name the key's variable instead (key_env)")
        return url.rstrip("/")


def read_endpoint(engine: EngineSpec) -> EndpointOptions:
    """The options of an endpoint engine; raises UsageError that names the engine and the option, never a value."""
    for name in engine.options:
        if name not in EndpointOptions.model_fields:
            raise unknown_name(f"option of engine '{engine.name}'", name, EndpointOptions.model_fields)
    try:
        return EndpointOptions.model_validate(engine.options)
    except ValidationError as error:
        raise UsageError(f"engine '{engine.name}': {first_problem(error)}") from error


def read_key(options: EndpointOptions) -> str | None:
    """The key from its environment variable; raises UsageError when that is not set, or holds what no header takes."""
    if options.key_env is None:
        return None
    key = os.environ.get(options.key_env, "").strip()
    if not key:
        raise UsageError(f"the environment variable {options.key_env} is not set; it must hold the endpoint's key")
    wrong = next((character for character in key if not "!" <= character <= "~"), None)
    if wrong is not None:
        raise UsageError(
            f"the key in {options.key_env} holds {_named(wrong)}, which no HTTP header takes; "
            "set the variable again, to the key alone"
        )
    return key


def _named(character: str) -> str:
    """A character by its name, because it may not show."""
    if character in "\r\n":
        return "a line break"
    return f"the character {unicodedata.name(character, f'U+{ord(character):04X}')}"
