"""Makes safetensors of weights that a model has in PyTorch's older, pickled format alone; nothing is unpickled here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.errors import AssetError
from bench.models.prepared import WEIGHTS

LIMIT_S = 1800.0
# What a process needs to find its libraries; keys and tokens of the user's are not among it.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TMPDIR", "SYSTEMROOT")


def convert_pickled(named: str, parts: list[Path], folder: Path) -> None:
    """Write model.safetensors into `folder`; raises AssetError for files of more than weights, or damaged ones."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    command = [sys.executable, "-P", str(Path(__file__).with_name("unpickle.py")), str((folder / WEIGHTS).resolve())]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and script
            [*command, *(str(part.resolve()) for part in parts)],
            cwd=folder,
            env={**environment, "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AssetError(f"{named}: converting its weights took over {LIMIT_S / 60:.0f} minutes") from error
    if done.returncode:
        (folder / WEIGHTS).unlink(missing_ok=True)
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise AssetError(f"{named}/{parts[0].name} cannot be converted to safetensors: {reason}")
