"""What the tables of the serving benchmarks say of invented figures."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import batcher
import numpy as np
import options_vllm
import peers
import pytest
import served
from answers import answers_of
from tiny_models import toy_dataset


def cells(page: str, start: str) -> list[str]:
    [row] = [line for line in page.splitlines() if line.startswith(start)]
    return [cell.strip() for cell in row.strip("| ").split("|")]


def peer_rates(ours: float, even: float) -> peers.Rates:
    single = {(peers.HARNESS, peers.SINGLE): [50.0, 50.0], (peers.EVEN, peers.SINGLE): [50.0, 50.0]}
    return {
        (peers.HARNESS, peers.OFFLINE): [ours, 2 * ours],
        (peers.EVEN, peers.OFFLINE): [even, even],
        (peers.FORWARD, peers.OFFLINE): [100.0, 120.0],
        **single,
        ("script, 32 sorted", peers.OFFLINE): [50.0, 100.0],
        (peers.OPTIMUM, peers.OFFLINE): [80.0, 100.0],
    }


def test_ratios_are_of_the_same_round_and_of_the_same_texts() -> None:
    chosen = Namespace(texts=100, single=10, threads=2, rounds=2)
    page = peers.render({"onnx": peer_rates(100.0, 60.0)}, 53, chosen)
    assert "forward" not in peers.render({"vllm": {(peers.HARNESS, peers.OFFLINE): [1.0, 1.0]}}, 53, chosen)
    assert cells(page, "| onnx | script, 32 sorted |")[2:4] == ["75 (50 to 100)", "2.00 (2.00 to 2.00)"]
    assert cells(page, "| onnx | optimum-benchmark |")[3] == "0.68 (0.60 to 0.75)"
    assert cells(page, f"| onnx | {peers.FORWARD_RATIO} |")[3:] == ["1.23 (1.20 to 1.25)"]
    assert page.endswith("in the median of the rounds: onnx offline (optimum-benchmark).\n")
    assert peers.render({"onnx": peer_rates(100.0, 90.1)}, 53, chosen).endswith("rounds: none.\n")


def test_engines_measured_one_after_the_other_share_a_table(tmp_path: Path) -> None:
    settings = {"texts": 100, "single": 10, "rounds": 2, "threads": 2, "tokens": 53}
    assert peers.read_figures(tmp_path / "peers.json", settings) == {}
    figures = {"onnx": peer_rates(100.0, 60.0), "eager": peer_rates(50.0, 60.0)}
    peers.write_figures(tmp_path / "peers.json", settings, figures)
    assert peers.read_figures(tmp_path / "peers.json", settings) == figures
    with pytest.raises(SystemExit, match="was measured with"):
        peers.read_figures(tmp_path / "peers.json", settings | {"threads": 1})


def test_every_way_is_timed_on_all_its_texts() -> None:
    texts = peers.Texts(["some words", "a", "more words here"] * 20, 2, ["one two"] * 30)
    for way, scenario, batches in peers.turns_of("onnx", texts, 10):
        many = 10 if scenario == peers.SINGLE else 30 if way == peers.EVEN else 60
        assert sum(map(len, batches)) == many, way
        assert max(map(len, batches)) <= (60 if way in (peers.HARNESS, peers.EVEN) else 32)
    sorted_ = next(batches for way, _, batches in peers.turns_of("onnx", texts, 10) if way == "script, 16 sorted")
    assert [len(batch) for batch in sorted_] == [16, 16, 16, 12]
    assert [text for batch in sorted_ for text in batch] == sorted(texts.mixed, key=len)


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(10.5, "reached by the default (4.8%)"), (12.0, "not reached by the default (16.7%)")]
)
def test_what_being_served_costs(seconds: float, verdict: str) -> None:
    inside = [served.Turn(10.0, {"engine": 20.0})] * 3
    outside = [served.Turn(seconds, {"engine": 20.0, "API server": 1.0, "client": 0.5})] * 3
    slow = [served.Turn(20.0, {"engine": 20.0, "API server": 5.0, "client": 5.0})] * 3
    page = served.report(
        {served.INSIDE: inside, **dict.fromkeys(served.WAYS, slow), served.DEFAULT: outside}, 1000, 2, 53.0
    )
    row = cells(page, f"| {served.DEFAULT} |")
    assert row[4:] == ["20.00", "1.00", "0.50", "1.07"]
    assert f"at saturation; {verdict}" in page


def test_what_the_batcher_costs() -> None:
    chosen = Namespace(texts=100, threads=2, rounds=2)
    saturated, limited = batcher.LIMITS_MS
    fine = {batcher.OFFLINE: [100.0, 200.0], saturated: [95.0, 190.0], limited: [50.0, 100.0]}
    page = batcher.render({"packed": fine}, chosen)
    assert cells(page, f"| packed | {saturated} |")[2:] == ["142", "5.0%", "5.0% to 5.0%"]
    assert "reached by all" in page
    over = batcher.render({"packed": fine, "onnx": fine | {saturated: [80.0, 170.0]}}, chosen)
    assert "not reached by onnx." in over


def test_answers_and_rates_of_option_scoring() -> None:
    labels = np.arange(40) % 4
    first = answers_of(labels, labels, 4).prediction
    flipped = answers_of(labels, np.where(np.arange(40) == 0, 1, labels), 4).prediction
    rates = {(name, kind): [10.0, 30.0] for name in ("eager", "vllm") for kind in (True, False)}
    rates[options_vllm.WRITING, True] = [2.0, 5.0]
    chosen = Namespace(texts=40, threads=2, rounds=2)
    page = options_vllm.render(rates, {"eager": first, "vllm": first}, toy_dataset(), chosen)
    assert cells(page, "| vllm | 20.00")[2] == "5.50 (5.00 to 6.00)"
    assert "within 0.001): kept." in page
    other = options_vllm.render(rates, {"eager": first, "vllm": flipped}, toy_dataset(), chosen)
    assert cells(other, "| vllm | eager |")[2:] == ["97.5%", "8.7e-01"]
    assert "not kept" in other
