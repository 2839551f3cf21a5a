"""Keeps what an interrupted training needs to end as if it had not been, on disk between evaluations."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import torch

from bench.files.cache import write_whole

SAVE_EVERY_S = 60.0
NOTE_EVERY_S = 1.0
STATE = "state.pt"
SPENT = "spent_s"


class Checkpoints:
    """One training's state in a folder; without a folder nothing is kept.

    The file is torch's own, written and read with weights only: tensors, numbers and strings.
    """

    def __init__(self, folder: Path | None, save_every_s: float = SAVE_EVERY_S) -> None:
        self.folder = folder
        self.save_every_s = save_every_s
        self._saved_at = self._noted_at = time.monotonic()

    def note_spent(self, seconds: float) -> None:
        """Remember how long the steps have taken so far, once a second: an interruption must not make them free."""
        if self.folder is not None and time.monotonic() - self._noted_at >= NOTE_EVERY_S:
            write_whole(self.folder / SPENT, repr(seconds).encode())
            self._noted_at = time.monotonic()

    def spent_s(self) -> float:
        """Seconds of steps that were noted before an interruption; 0 where there was none."""
        if self.folder is None:
            return 0.0
        try:
            return float((self.folder / SPENT).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0.0

    def due(self) -> bool:
        """Whether enough time has passed since the last one: short trainings are not slowed down by it."""
        return self.folder is not None and time.monotonic() - self._saved_at >= self.save_every_s

    def save(self, state: dict[str, Any]) -> None:
        """Replace the stored state, whole or not at all."""
        if self.folder is None:
            return
        from io import BytesIO

        content = BytesIO()
        torch.save(state, content)
        write_whole(self.folder / STATE, content.getvalue())
        self._saved_at = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The stored state; None when there is none, or none that can be read."""
        if self.folder is None or not (self.folder / STATE).is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.folder / STATE, weights_only=True)
        except Exception:  # whatever torch raises, a damaged checkpoint means starting over
            self.clear()
            return None
        return state

    def clear(self) -> None:
        """Remove the state of a training that has ended."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
