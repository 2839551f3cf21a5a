"""Shows what is in a file of texts before anything is trained: `bench inspect`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import json_option, reading_options, take_reading
from bench.machine.terminal import print_json

if TYPE_CHECKING:
    from bench.types import Dataset

MEASURED_TEXTS = 2000


def add_commands(cli: click.Group) -> None:
    """Register the command with the group."""
    cli.add_command(inspect)


@click.command()
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA")
@reading_options
@json_option
def inspect(data: Path, as_json: bool, **choices: Any) -> None:
    """Show how DATA is read and what is wrong in it: classes, lengths, duplicates, likely label errors.

    --json lists the likeliest label errors up to 5 % of the texts, the tables the first 20.

    DATA is a file, a folder or hf:ORG/NAME, as for `bench run --data`. Nothing is trained that a table would show, and
    nothing leaves this machine.
    """
    content = examine(data, choices)
    if as_json:
        print_json(content)
        return
    from bench.cli.inspect_view import print_inspection

    print_inspection(content)


def examine(path: Path, choices: dict[str, Any]) -> dict[str, Any]:
    """Everything the command says, as JSON-able content."""
    from bench.data.assembly import Limits
    from bench.data.checks.checks import check_dataset
    from bench.data.datasets import prepare_own_dataset
    from bench.data.lengths import count_words
    from bench.data.sources import open_path

    reading = take_reading(choices)
    facts = open_path(path, reading).train.facts
    data = prepare_own_dataset(path, reading, Limits(), None)
    findings = check_dataset(data, thorough=True)
    texts = [*data.train.texts, *data.validation.texts, *data.test.texts]
    return {
        "data": str(path),
        "format": facts and facts.format,
        "encoding": facts and facts.encoding,
        "delimiter": facts and facts.delimiter,
        "columns": list(facts.names) if facts and facts.names else None,
        "first_rows": [list(row) for row in facts.first_rows] if facts else [],
        "language": data.language,
        "notes": list(data.notes),
        "texts": len(texts),
        "classes": _class_counts(data),
        "lengths": count_words(texts, data.language).model_dump(),
        "models": [cut.model_dump() for cut in _cuts(texts, data.language)],
        **findings.model_dump(),
    }


def _class_counts(data: Dataset) -> list[dict[str, Any]]:
    import numpy as np

    parts = {part: getattr(data, part) for part in ("train", "validation", "test")}
    counts = {part: np.bincount(split.labels, minlength=len(data.class_names)) for part, split in parts.items()}
    return [
        {"class": name, **{part: int(counts[part][at]) for part in parts}} for at, name in enumerate(data.class_names)
    ]


def _cuts(texts: Sequence[str], language: str) -> list[Any]:
    """Tokens of texts spread over the data, for the base models that are on this machine."""
    from bench.data.lengths import Cut, summary
    from bench.models.base import cached_tokenizer, model_for
    from bench.text.tokens import TextTokenizer

    names = dict.fromkeys(
        model_for(role, language, models) for models in ("small", "published") for role in ("encoder", "causal")
    )
    sample = texts[:: max(1, len(texts) // MEASURED_TEXTS)]
    cuts = []
    for name in names:
        found = cached_tokenizer(name)
        if found is not None:
            path, reads = found
            lengths = TextTokenizer.from_file(path, 1_000_000).encode(sample).lengths
            share = float((lengths > reads).mean())
            cuts.append(Cut(model=name, reads=reads, tokens=summary(lengths, "tokens"), cut=share))
    return cuts
