"""Reads what people type for a rate, a time, a share and a price as plain numbers."""

from __future__ import annotations

import math
import re

from bench.errors import UsageError

_NUMBER = re.compile(r"\s*([-+]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(.*?)\s*", re.IGNORECASE)
_MILLISECONDS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0, "sec": 1000.0, "min": 60_000.0}
_RATES = {"": 1.0, "/s": 1.0, "rps": 1.0, "req/s": 1.0, "texts/s": 1.0, "/min": 1 / 60, "/h": 1 / 3600}
_HOURS = {"": 1.0, "/h": 1.0, "/hour": 1.0, "/min": 60.0, "/s": 3600.0, "/day": 1 / 24, "/month": 1 / 730}
_CURRENCY = re.compile(r"^\s*[$€£¥]|[$€£¥]\s*(?=/|$)")


def parse_rate(text: str) -> float:
    """Requests a second: "500", "500/s", "30000/min"."""
    return _positive(text, _RATES, "a rate such as 500, 500/s or 30000/min")


def parse_milliseconds(text: str) -> float:
    """A time with its unit: "20ms", "0.02s"."""
    return _positive(text, _MILLISECONDS, "a time with its unit, such as 20ms or 0.02s")


def parse_share(text: str) -> float:
    """A share in (0, 1]: "0.93", "93%"."""
    what = "a share such as 0.93 or 93%"
    value = _positive(text, {"": 1.0, "%": 0.01}, what)
    if value > 1:
        raise UsageError(f"'{text}' is more than 1; give {what}")
    return value


def parse_accuracy(text: str) -> float:
    """A share in (0, 1): "0.99", "99%"; 1 is more than any number of texts can show."""
    value = parse_share(text)
    if value == 1:
        raise UsageError(f"'{text}' cannot be shown by any number of texts; give an accuracy such as 0.99 or 99%")
    return value


def parse_price(text: str) -> float:
    """Price an hour: "1.2/h", "1.2", "$1.2/h", "900/month" (730 hours)."""
    return _positive(_CURRENCY.sub("", text), _HOURS, "a price such as 1.2/h or 900/month", shown=text)


def _positive(text: str, units: dict[str, float], what: str, shown: str | None = None) -> float:
    match = _NUMBER.fullmatch(text)
    unit = re.sub(r"\s+", "", match[2]).lower() if match else None
    if match is None or unit not in units:
        raise UsageError(f"'{shown or text}' is not {what}")
    value = float(match[1].replace(",", "").replace("_", "")) * units[unit]
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"'{shown or text}' must be above 0; give {what}")
    return value
