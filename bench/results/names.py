"""Names the files of a run folder: cell ids become file names, also those of somebody else."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from bench.files.cache import file_name

# What a file of a run folder may be called: cell ids become file names, also those of somebody else's folder.
FileName = Annotated[str, StringConstraints(pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,249}$")]
RelativeFile = Annotated[
    str,
    StringConstraints(
        pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*(/[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*){0,3}$"
    ),
]


def result_name(task: str, recipe: str, seed: int, engine: str | None) -> str:
    """How the id of a result's cell begins, before the content hash; engine None: it never came to one."""
    return f"{classifier_name(task, recipe, seed)}.{file_name(engine or 'none', 40)}"


def classifier_name(task: str, recipe: str, seed: int) -> str:
    """How the name of a trained classifier begins."""
    return f"{file_name(task)}.{file_name(recipe)}.s{seed}"
