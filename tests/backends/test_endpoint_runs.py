"""`bench run` with endpoints that work, fail or are missing: what the rows, the errors and the files say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from faulty_server import Body, Reply, classified, faulty_server
from own_data_runs import assert_measured, run

from bench.results.records import Status
from bench.results.store import open_run

KEY = "sk-very-secret-0123456789"


def own_data(folder: Path) -> Path:
    rows = [f"the {word} number {n} was {word} today,{word}\n" for n in range(40) for word in ("good", "bad")]
    path = folder / "mine.csv"
    path.write_text("text,label\n" + "".join(rows))
    return path


@pytest.mark.slow
def test_the_run_goes_on_beside_endpoints_that_fail(tmp_path: Path) -> None:
    """One that works, one that dies half-way, one that is down; the table says which, and no file holds the key."""

    def dying(number: int, body: Body) -> Reply:
        return classified(body) if number < 5 else Reply(503, {"error": {"message": "overloaded"}})

    with faulty_server(lambda _, body: classified(body)) as good, faulty_server(dying) as dies:
        engines = {"good": good.url, "dies": dies.url, "down": "http://127.0.0.1:9/v1"}
        blocks = [
            f'[{name}]\nbackend = "endpoint"\n'
            f'options = {{ url = "{url}", model = "tiny", key_env = "MY_KEY", retries = 1, texts_per_request = 1 }}\n'
            for name, url in engines.items()
        ]
        (tmp_path / "engines.toml").write_text("".join(blocks))
        out = tmp_path / "run"
        done = run(
            *("--data", str(own_data(tmp_path)), "--methods", "served-classify", "--tier", "sample"),
            *("--engines", str(tmp_path / "engines.toml"), "--out", str(out)),
            MY_KEY=KEY,
        )
        assert done.returncode == 5, done.stderr
        assert set(good.keys) == {f"Bearer {KEY}"}
    rows = {result.cell.engine: result for result in open_run(out).results}
    assert_measured(rows["good"])
    assert rows["good"].parity is None
    assert rows["good"].cell.base_model == "tiny"
    assert rows["good"].load["single"].rate_rps > 0
    assert rows["good"].load["offline"].rate_rps > 0
    for name, words in {"dies": "stopped answering after 5 of", "down": "does not answer"}.items():
        assert rows[name].status is Status.INVALID
        assert rows[name].quality is None
        assert words in (rows[name].reason or "")
    assert "own: no weights here to compare with" in (out / "leaderboard.md").read_text()
    written = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in content for content in (*written, done.stdout.encode(), done.stderr.encode()))
    assert json.loads((out / "run.json").read_text())["engines"] == list(engines)


def test_a_classifier_behind_an_endpoint_needs_one(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = run(
        *("--data", str(own_data(tmp_path)), "--methods", "served-classify", "--tier", "sample", "--out", str(out))
    )
    assert done.returncode == 0, done.stderr
    [row] = open_run(out).results
    assert row.status is Status.SKIPPED
    assert "--endpoint URL" in (row.reason or "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--endpoint", "http://127.0.0.1:9/v1"), "--endpoint-model NAME"),
        (("--endpoint-model", "tiny"), "which endpoint"),
        (("--endpoint", "nowhere", "--endpoint-model", "tiny"), "url: is no address"),
        (("--backends-file", "missing.toml"), "--backends-file missing.toml: No such file"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run("--data", str(own_data(tmp_path)), *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_retry_asks_again_what_got_no_answer(tmp_path: Path) -> None:
    with faulty_server(lambda number, body: Reply(200, "<html>") if number == 3 else classified(body)) as server:
        command = (
            *("--data", str(own_data(tmp_path)), "--methods", "served-classify", "--tier", "sample"),
            *("--endpoint", server.url, "--endpoint-model", "tiny", "--out", str(tmp_path / "run")),
        )
        done = run(*command)
        assert done.returncode == 5
        assert "endpoint: INVALID: 2 of 16 texts got no answer" in done.stderr
        [row] = open_run(tmp_path / "run").results
        assert row.status is Status.INVALID
        assert "2 of 16 texts got no answer: 1 failed requests (unreadable answer: 1)" in (row.reason or "")
        server.answer = lambda _, body: classified(body)
        assert run(*command).returncode == 5
        assert run(*command, "--retry").returncode == 0
    [row] = open_run(tmp_path / "run").results
    assert_measured(row)
    assert row.quality is not None
