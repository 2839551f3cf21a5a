"""What the HTML page is made of: its data, its policy, and what may never stand in it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from invented_run import Size, write_run
from synthetic_published import agnews_run, sst2_run
from synthetic_runs import data_card, full_run, sample_run, stored_run, without_figures
from synthetic_server import server_run
from synthetic_study import study_run

from bench.cli.main import cli
from bench.errors import StoreError
from bench.results.evidence import STORED_CHARACTERS, TEXTS, evidence_of
from bench.results.records import Answers, Evidence, Status, StoredRun
from bench.results.store import open_run
from bench.types import Prediction
from reports.content.pareto import pareto_front
from reports.html.items import MOST_FLIPS, MOST_FLIPS_A_ROW, MOST_HARD, hard_items
from reports.html.page import WEB, embedded_json, vendored_files
from reports.leaderboard import render_leaderboard

NOTHING = Evidence(texts=lambda _: {}, latencies_ns=lambda _: np.empty(0, dtype=np.int64))
HOSTILE = (
    "<script>window.hacked = 1</script></script><!-- <img src=x onerror='window.hacked = 1'>",
    "a | b\nsecond line\u2028third",
    "שלום \u202e עולם",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "run"
    write_run(path, Size(classifiers=8, items=400, curve_points=70, queries=700), HOSTILE, "News <b>&</b> ספורט")
    return path


def page_of(run: StoredRun, evidence: Evidence = NOTHING) -> str:
    return render_leaderboard(run).page(evidence)


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def column(task: dict, name: str) -> list[str]:
    at = [each["name"] for each in task["table"]["columns"]].index(name)
    return [row[at] for row in task["table"]["shown"]]


def test_the_same_run_gives_the_same_page(folder: Path) -> None:
    first, again = (page_of(open_run(folder), evidence_of(folder)) for _ in range(2))
    assert first == again


def test_the_policy_names_every_script_and_style_by_its_hash_and_nothing_else(folder: Path) -> None:
    page = page_of(open_run(folder))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    blocks = re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", page, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        assert f"'sha256-{b64encode(sha256(block.encode()).digest()).decode()}'" in policy


def test_no_markup_of_a_run_stands_in_the_page(folder: Path) -> None:
    page = page_of(open_run(folder), evidence_of(folder))
    assert "window.hacked" in page
    assert "<script>window" not in page
    assert "<img" not in page
    assert "<b>" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert "News &lt;b&gt;&amp;&lt;/b&gt;" in re.search(r"<title>(.*?)</title>", page)[1]


@given(
    st.recursive(st.text() | st.floats() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_embedded_json_is_the_data_and_cannot_end_its_element(data: object) -> None:
    text = embedded_json(data)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == json.loads(json.dumps(json.loads(text)))


def test_embedded_json_keeps_the_text() -> None:
    text = "</script><!--&\u2028 ]]> 很好"
    assert json.loads(embedded_json([text, float("nan")])) == [text, None]


def test_the_embedded_libraries_are_what_was_published() -> None:
    for library in vendored_files().values():
        content = (WEB / "vendor" / library["file"]).read_bytes()
        assert sha256(content).hexdigest() == library["sha256"]
        assert len(content) < 300_000
        licence = (WEB / "vendor" / library["licence"]).read_text(encoding="utf-8")
        assert "Copyright" in licence
        assert "*/" not in licence
        assert b"</script" not in content


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_the_front_is_what_no_other_point_beats(points: list[tuple[int, int]]) -> None:
    front = pareto_front(points)
    beaten = [any(x >= a and y >= b and (x, y) != (a, b) for x, y in points) for a, b in points]
    assert {points[at] for at in front} == {point for point, lost in zip(points, beaten, strict=True) if not lost}
    assert len(front) == len({points[at] for at in front})
    assert [points[at][0] for at in front] == sorted((points[at][0] for at in front), reverse=True)


def test_only_rows_with_a_certificate_and_a_valid_speed_stand_on_the_line() -> None:
    task = data_of(page_of(full_run()))["tasks"][0]
    answers, status = column(task, "answers"), column(task, "status")
    for key, front in task["points"]["fronts"].items():
        scenario = key.split("|")[1]
        assert front
        assert {answers[row] for row in front} == {"same (n)"}
        assert all(task["points"]["rates"][scenario][row] for row in front)
    invalid = status.index("INVALID")
    assert column(task, "single")[invalid] == "INVALID"
    assert task["points"]["rates"]["single"][invalid] is None
    assert "CHANGED (n)" in answers


def test_every_machine_of_a_merged_run_has_a_line_of_its_own() -> None:
    """A machine twice as fast must not take the other's rows off their line."""
    run = full_run()
    results = [
        row.model_copy(
            update={"cell": row.cell.model_copy(update={"machine": machine, "id": f"{machine}.{row.cell.id}"})}
        )
        for machine in ("slow", "fast")
        for row in run.results
    ]
    answers = {f"{machine}.{name}": answer for machine in ("slow", "fast") for name, answer in run.answers.items()}
    alone = data_of(page_of(run))["tasks"][0]["points"]["fronts"]
    points = data_of(page_of(stored_run(results, answers)))["tasks"][0]["points"]
    for key, front in points["fronts"].items():
        machines = [points["machines"][row] for row in front]
        assert machines.count("slow") == machines.count("fast") == len(alone[key])


def test_rows_that_never_came_to_an_engine_stand_in_the_table_with_their_reason() -> None:
    task = data_of(page_of(full_run()))["tasks"][0]
    statuses = column(task, "status")
    assert len(statuses) == len(full_run().results)
    at = statuses.index("OOM")
    assert "killed by the system" in task["table"]["reasons"][at]
    assert task["points"]["quality"]["macro F1"][at] is None


def test_a_row_without_a_certificate_says_so_and_is_not_on_the_line() -> None:
    run = full_run()
    results = [row.model_copy(update={"parity": None}) for row in run.results]
    task = data_of(page_of(stored_run(results, dict(run.answers))))["tasks"][0]
    assert "no certificate (n)" in column(task, "answers")
    assert not any(task["points"]["fronts"].values())


def test_the_hardest_items_are_those_most_classifiers_get_wrong() -> None:
    labels = np.array([0, 1, 0, 1])

    def answers(given: list[int], truth: list[float]) -> Answers:
        probabilities = np.array(
            [[p, 1 - p] if label == 0 else [1 - p, p] for p, label in zip(truth, labels, strict=True)]
        )
        prediction = Prediction(probabilities.astype(np.float32), np.array(given), np.ones(4, int), np.zeros(4, bool))
        return Answers(np.array([7, 3, 9, 5]), labels, prediction)

    hard = hard_items([answers([1, 1, 1, -1], [0.4, 0.9, 0.1, 0.2]), answers([0, 1, 1, 1], [0.9, 0.8, 0.3, 0.6])], 2)
    assert hard.ids.tolist() == [9, 5, 7, 3]
    assert hard.wrong.tolist() == [2, 1, 1, 0]
    assert hard.probability == pytest.approx([0.2, 0.4, 0.65, 0.85])
    assert hard.answers[1].tolist() == [0, 1, 1]


def test_item_lists_are_capped_and_say_of_how_many(folder: Path) -> None:
    run = open_run(folder)
    task = data_of(page_of(run, evidence_of(folder)))["tasks"][0]
    hardest, flips = task["hardest"], task["flips"]
    assert len(hardest["rows"]) == min(MOST_HARD, hardest["wrong"])
    assert hardest["classifiers"] == 8
    assert {row["id"] for row in hardest["rows"][:3]} == {0, 1, 2}
    by_id = {row["id"]: row["text"] for row in hardest["rows"]}
    assert by_id[0] == HOSTILE[0]
    assert by_id[1] == "a | b\nsecond line\nthird"
    assert "\u202e" not in by_id[2]
    assert len(flips["rows"]) <= MOST_FLIPS
    flipped = sum(len(row.parity.flips) for row in run.results)
    assert flips["total"] == flipped
    by_row = [(row["classifier"], row["engine"]) for row in flips["rows"]]
    assert max(by_row.count(each) for each in by_row) <= MOST_FLIPS_A_ROW
    assert all(row["reference"] != row["answer"] and row["label"] is not None for row in flips["rows"])


def test_without_stored_texts_the_items_are_still_named() -> None:
    task = data_of(page_of(full_run()))["tasks"][0]
    assert task["hardest"]["rows"]
    assert all(row["text"] is None for row in task["hardest"]["rows"])


def test_latency_distributions_rise_and_are_left_out_where_nothing_supports_them(folder: Path) -> None:
    task = data_of(page_of(open_run(folder), evidence_of(folder)))["tasks"][0]
    single, offline = task["latencies"]["single"], task["latencies"]["offline"]
    assert set(map(type, offline)) == {type(None)}
    invalid = [row for row, status in enumerate(column(task, "status")) if status == "INVALID"]
    assert invalid
    assert [row for row, points in enumerate(single) if points is None] == invalid
    for points in filter(None, single):
        percents, milliseconds = zip(*points, strict=True)
        assert percents == tuple(sorted(percents))
        assert milliseconds == tuple(sorted(milliseconds))
        assert {50, 99, 100} <= set(percents)
        assert 99.9 not in percents


def test_curves_are_thinned_but_keep_the_chosen_and_the_last_point(folder: Path) -> None:
    run = open_run(folder)
    curves = data_of(page_of(run))["tasks"][0]["curves"]
    fit = run.results[0].fit
    curve = next(curve for curve in curves if curve["name"] == run.results[0].cell.recipe)
    assert curve["of"] == 70
    assert len(curve["read"]) <= 60
    chosen = next(point for point in fit.curve if point.step == fit.chosen_step)
    assert curve["series"]["validation macro F1"][curve["chosen"]] == pytest.approx(chosen.f1, rel=1e-4)
    assert curve["read"][-1] == round(fit.curve[-1].epoch * fit.examples)


def test_rows_that_answered_alike_share_a_matrix(folder: Path) -> None:
    matrices = data_of(page_of(open_run(folder)))["tasks"][0]["matrices"]
    assert len(matrices["different"]) < len(matrices["of_row"])
    for each in matrices["different"]:
        assert sum(map(sum, each["matrix"])) == 400


def test_many_classes_are_cut_to_the_weakest() -> None:
    from synthetic_runs import METHODS, task_results

    card = data_card(test=500, class_names=tuple(f"class {number}" for number in range(50)))
    results, answers = task_results(card, METHODS[:1])
    matrix = data_of(page_of(stored_run(results, answers)))["tasks"][0]["matrices"]["different"][0]
    assert matrix["matrix"] is None
    assert len(matrix["classes"]) == 20
    assert matrix["confusions"][0][0] >= matrix["confusions"][-1][0] > 0


@pytest.mark.parametrize("run", [sample_run(), study_run()], ids=["sample", "study"])
def test_every_table_of_the_report_is_in_the_page(run: StoredRun) -> None:
    leaderboard = render_leaderboard(run)
    titles = [table["title"] for table in data_of(leaderboard.page(NOTHING))["tasks"][0]["tables"]]
    assert titles == [str(table.title) for table in leaderboard.sections[0].tables]


def test_a_study_has_its_points_with_intervals() -> None:
    [chart] = data_of(page_of(study_run()))["tasks"][0]["scores"]
    assert (chart["by_size"], chart["axis"], chart["metric"]) == (True, "training texts", "test macro F1")
    [line] = chart["lines"]
    assert [point[0] for point in line["points"]] == [16, 256, 4096]
    assert all(low < value < high for _, value, low, high in line["points"])


def test_published_points_stand_beside_ours_as_accuracies_without_intervals() -> None:
    """D1's sample sizes and D2's first test texts, whose six models are all there whichever was run."""
    study, first = data_of(page_of(sst2_run()))["tasks"][0]["scores"]
    ours, theirs = study["lines"]
    assert (study["metric"], ours["published"], theirs["published"]) == ("test accuracy", False, True)
    assert [4096, 0.9133, None, None] in theirs["points"]
    assert "all" not in [point[0] for point in theirs["points"]], "how many that is is not known of another split"
    assert [point[0] for point in first["lines"][0]["points"]] == [16, 64, 256, 512]
    published = {line["name"]: line["points"] for line in first["lines"] if line["published"]}
    assert len(published) == 6
    assert published["published: DeepSeek-R1-8B"][-1] == [512, 0.9063, None, None]


def test_published_training_curves_are_drawn_over_the_texts_that_were_read() -> None:
    curves = data_of(page_of(agnews_run()))["tasks"][0]["curves"]
    published = {curve["name"]: curve for curve in curves if curve["published"]}
    bert = published["published: bert-base-cased"]
    assert bert["classifier"] == "full-finetune"
    assert (bert["read"][0], bert["series"]["test macro F1"][0]) == (282 * 64, 0.90968)
    assert "validation macro F1" not in bert["series"]


def test_the_server_curves_say_which_percentiles_enough_requests_support() -> None:
    records = data_of(page_of(server_run()))["tasks"][0]["server"]
    assert sum(record is not None for record in records) == 3, "the fourth held no rate"
    for record in filter(None, records):
        assert (record["limit_ms"], record["percentile"]) == (100, "p99")
        rates = [rate for rate, *_ in record["points"]]
        assert rates == sorted(rates)
        assert [confirmed for *_, confirmed in record["points"]].count(True) == 3
        assert all(supported for *_, supported, _ in record["points"])
        assert all(limited <= 100 for _, _, limited, _, confirmed in record["points"] if confirmed)
    assert data_of(page_of(full_run()))["tasks"][0]["server"] == [None] * len(full_run().results)


def test_a_run_of_failures_alone_is_a_page_of_reasons() -> None:
    results = [without_figures(data_card(), "lora", Status.CRASH, "ValueError: <x>")]
    task = data_of(page_of(stored_run(results, {})))["tasks"][0]
    assert task["table"]["reasons"] == ["ValueError: <x>"]
    assert task["scenarios"] == []
    assert task["hardest"]["rows"] == []


def test_stored_texts_come_back_shortened_and_damage_is_named(folder: Path, tmp_path: Path) -> None:
    long = tmp_path / "long"
    write_run(long, Size(classifiers=1, items=20, queries=10), ["x" * 2000])
    fingerprint = open_run(long).results[0].data.fingerprint
    texts = evidence_of(long).texts(fingerprint)
    assert len(texts) == 20
    assert texts[0] == "x" * (STORED_CHARACTERS - 1) + "…"
    assert evidence_of(long).texts("0" * 64) == {}
    assert len(evidence_of(long).latencies_ns("latencies/none.parquet")) == 0
    [file] = (long / TEXTS).iterdir()
    file.write_bytes(b"PAR1 broken")
    with pytest.raises(StoreError, match="cannot be read"):
        evidence_of(long).texts(fingerprint)


def test_report_writes_the_page_where_it_is_told(folder: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    named = tmp_path / "deep" / "page.html"
    assert runner.invoke(cli, ["report", str(folder), "--html", str(named), "--json"]).exit_code == 0
    assert named.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert runner.invoke(cli, ["report", str(folder), "--html"]).exit_code == 0
    assert (folder / "leaderboard.html").read_bytes() == named.read_bytes()
    refused = runner.invoke(cli, ["report", str(folder), "--html", str(tmp_path)])
    assert isinstance(refused.exception, StoreError)
    assert "name a file" in str(refused.exception)
