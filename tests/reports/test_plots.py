"""Plots are well-formed pictures that say what they show, the same every time, whatever the names in them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from synthetic_runs import full_run, sample_run, stored_run, task_results
from synthetic_server import server_run
from synthetic_study import study_run

from bench.results.records import StoredRun
from reports.leaderboard import render_leaderboard

SVG = "{http://www.w3.org/2000/svg}"


def texts_of(picture: bytes) -> list[str]:
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own file
    assert root.tag == f"{SVG}svg"
    return ["".join(element.itertext()).strip() for element in root.iter(f"{SVG}text")]


def test_a_study_shows_its_sizes_and_intervals() -> None:
    plots = render_leaderboard(study_run()).plots()
    assert set(plots) == {"plots/sst2.curves.svg", "plots/sst2.study.svg"}
    shown = texts_of(plots["plots/sst2.study.svg"])
    assert {"lora", "training texts", "test macro F1, 95 % interval"} <= set(shown)
    assert any("How many training texts" in text for text in shown)
    curves = texts_of(plots["plots/sst2.curves.svg"])
    assert {"training texts read", "validation macro F1", "full-finetune"} <= set(curves)


@pytest.mark.parametrize(
    "run", [full_run(), sample_run(), study_run(), server_run()], ids=["full", "sample", "study", "server"]
)
def test_the_same_run_gives_the_same_pictures_and_the_page_links_them(run: StoredRun) -> None:
    first, again = render_leaderboard(run), render_leaderboard(run)
    assert first.plots() == again.plots()
    for path in first.plots():
        assert f"]({path})" in first.markdown


def test_the_server_curve_shows_its_rows_and_what_was_limited() -> None:
    shown = texts_of(render_leaderboard(server_run()).plots()["plots/agnews.server.svg"])
    assert {"full-finetune on eager", "full-finetune on onnx-int8", "answers per second"} <= set(shown)
    assert any("p90" in text and "scheduled arrival" in text for text in shown)
    assert "zero-shot on eager" not in shown, "it held no rate"


def test_markup_in_a_name_stays_text() -> None:
    run = study_run()
    evil = "<script>alert(1)</script> $x_y$ & |"
    results = [
        result.model_copy(update={"data": result.data.model_copy(update={"title": evil})}) for result in run.results
    ]
    plots = render_leaderboard(stored_run(results, dict(run.answers), tasks=("sst2",))).plots()
    for picture in plots.values():
        assert b"<script" not in picture
        assert any(evil in text for text in texts_of(picture))


def test_without_curves_and_studies_there_is_no_picture() -> None:
    run = full_run()
    results, answers = task_results(run.results[0].data, ())
    assert render_leaderboard(stored_run(results, answers)).plots() == {}
