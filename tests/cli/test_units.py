"""Rates, times, shares and prices are read as people write them, or refused with an example."""

from __future__ import annotations

import pytest

from bench.cli.units import parse_milliseconds, parse_price, parse_rate, parse_share
from bench.errors import UsageError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (parse_rate("500"), 500),
        (parse_rate("1,500/s"), 1500),
        (parse_rate("600/min"), 10),
        (parse_milliseconds("20ms"), 20),
        (parse_milliseconds("0.02s"), 20),
        (parse_milliseconds(" 20 MS "), 20),
        (parse_share("0.93"), 0.93),
        (parse_share("93%"), 0.93),
        (parse_price("1.2/h"), 1.2),
        (parse_price("$1.20 / h"), 1.2),
        (parse_price("730/month"), 1),
        (parse_price("¥8"), 8),
    ],
)
def test_units_are_read_kindly(value: float, expected: float) -> None:
    assert value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_rate, "fast"), (parse_rate, "0"), (parse_rate, "-5"), (parse_rate, "20ms"), (parse_rate, ""),
        (parse_milliseconds, "20"), (parse_milliseconds, "20 parsecs"), (parse_milliseconds, "nan"),
        (parse_share, "93"), (parse_share, "0.9.3"), (parse_price, "1.2/week"), (parse_price, "1e999/h"),
    ],
)  # fmt: skip
def test_wrong_units_are_refused_with_what_was_meant(parse: object, text: str) -> None:
    with pytest.raises(UsageError, match="such as"):
        parse(text)  # type: ignore[operator]
