"""What a process measured of a cell, as little as a verdict needs."""

from __future__ import annotations

from typing import Any

from bench.results.records import MeasuredPart, SessionCard


def measured_part(device: str = "cpu", **changes: Any) -> MeasuredPart:
    """A part without runs on one thread; `changes` are fields of MeasuredPart."""
    card = SessionCard(
        load_s=0.0,
        convert_s=0.0,
        device=device,
        precision="fp32",
        threads=1,
        artifact_bytes=None,
        peak_rss_bytes=None,
        peak_device_bytes=None,
    )
    return MeasuredPart(session=card, token_sha256=None, predict_s=None, items=1, runs=(), **changes)
