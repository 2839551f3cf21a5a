"""Says which answers a constrained model may write, to servers as a grammar or a JSON schema, and reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bench.classifiers.written_answers import Written
from bench.types import Ending

FIELD = "label"  # of a JSON answer


def most_tokens(answers: Iterable[str]) -> int:
    """Enough tokens for the longest answer in any spelling, and for its end: no token is less than a byte."""
    return max(len(answer.encode("utf-8")) for answer in answers) + 1


def answer_schema(answers: Sequence[str]) -> dict[str, Any]:
    """JSON schema of an object whose only field holds one of the answers."""
    return {
        "type": "object",
        "properties": {FIELD: {"type": "string", "enum": list(answers)}},
        "required": [FIELD],
        "additionalProperties": False,
    }


def answer_grammar(answers: Sequence[str]) -> str:
    """llama.cpp's grammar (GBNF) of one of the answers."""
    return "root ::= " + " | ".join(f'"{"".join(map(_in_quotes, answer))}"' for answer in answers)


def _in_quotes(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def read_permitted(written: Written, permitted: Sequence[str]) -> tuple[int, Ending]:
    """The class of an answer that was constrained, and how it ended: what is no permitted answer names none."""
    said = written.text.strip()
    label = next((label for label, answer in enumerate(permitted) if answer.strip() == said), -1)
    if written.cut:
        return -1, Ending.CUT_OFF
    return label, Ending.WHOLE if said else Ending.EMPTY
