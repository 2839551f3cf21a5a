"""Names the files of a run folder: cell ids become file names, also those of somebody else."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

# What a file of a run folder may be called: cell ids become file names, also those of somebody else's folder.
FileName = Annotated[str, StringConstraints(pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,249}$")]
RelativeFile = Annotated[
    str,
    StringConstraints(
        pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*(/[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*){0,3}$"
    ),
]
