"""What the gate's page, commands, pytest plugin and documented workflow say."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import click
import yaml
from command_line import assert_one_line_error, bench
from gate_runs import changed, losing, run_pytest, stored, with_answers, with_data
from synthetic_runs import full_run

from bench.cli.main import cli
from bench.gates.baseline import Baseline, make_baseline, write_baseline
from reports.pages.check import CheckPage

# ---------------------------------------------------------------- pages and commands


def test_the_page_says_what_happened_and_escapes_names() -> None:
    check = changed(lora=40)
    hostile = check.rows[0].cell.model_copy(update={"recipe": "a|b <script>"})
    rows = (check.rows[0].model_copy(update={"cell": hostile}), *check.rows[1:])
    page = CheckPage(check.model_copy(update={"rows": rows}))
    assert page.markdown.startswith("## Quality against the baseline: REGRESSED\n")
    assert "1 REGRESSED" in page.markdown
    assert "-2.00" in page.markdown
    assert "a&#124;b &lt;script>" in page.markdown
    assert page.to_dict()["verdict"] == "REGRESSED"
    suite = ElementTree.fromstring(page.junit)  # noqa: S314 - our own text
    assert suite.get("tests") == str(len(check.rows))
    assert suite.get("failures") == "1"
    assert len(suite.findall(".//failure")) == 1
    assert any(case.get("name", "").startswith("a|b <script>") for case in suite)


def test_the_commands_agree_with_their_exit_codes(tmp_path: Path) -> None:
    run = full_run()
    old, cell_id = stored(run, tmp_path / "old"), "agnews.lora.s0.eager"
    new = stored(with_answers(run, cell_id, losing(run.answers[cell_id], 40, 4)), tmp_path / "new")
    baseline = tmp_path / "baseline.json"
    assert bench("baseline", str(old), "--out", str(baseline)).returncode == 0
    assert Baseline.model_validate_json(baseline.read_text()).rows
    same = bench("check", str(old), "--baseline", str(baseline))
    assert (same.returncode, same.stderr) == (0, "")
    assert "PASS" in same.stdout
    assert max(map(len, same.stdout.splitlines())) <= 80
    worse = bench(
        "check",
        str(new),
        "--baseline",
        str(baseline),
        "--json",
        "--markdown",
        str(tmp_path / "summary.md"),
        "--junit",
        str(tmp_path / "junit.xml"),
    )
    assert worse.returncode == 9
    assert json.loads(worse.stdout)["verdict"] == "REGRESSED"
    assert "REGRESSED" in (tmp_path / "summary.md").read_text()
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures") == "1"  # noqa: S314
    compared = bench("compare", str(old), str(new))
    assert compared.returncode == 0
    assert "REGRESSED" in compared.stdout


def test_what_cannot_be_compared_has_its_own_exit_code(tmp_path: Path) -> None:
    old = stored(full_run(), tmp_path / "old")
    other = stored(with_data(full_run(), fingerprint="0" * 64), tmp_path / "other")
    assert_one_line_error(bench("compare", str(old), str(other)), 8, "other data")
    assert_one_line_error(bench("check", str(old), "--baseline", str(tmp_path / "none.json")), 6, "none.json")
    assert_one_line_error(bench("baseline", str(tmp_path)), 6, "run.json")


# ---------------------------------------------------------------- pytest plugin


def test_pytest_makes_every_row_a_test(tmp_path: Path) -> None:
    run, cell_id = full_run(), "agnews.lora.s0.eager"
    old = stored(run, tmp_path / "old")
    worse = with_answers(run, cell_id, losing(run.answers[cell_id], 40, 4))
    new = stored(replace(worse, results=worse.results[1:]), tmp_path / "new")
    write_baseline(tmp_path / "b.json", make_baseline(run))
    rows = len(run.answers)
    empty = tmp_path / "empty"
    empty.mkdir()
    same = run_pytest("--bench-run", str(old), "--bench-baseline", str(tmp_path / "b.json"), folder=empty)
    assert same.returncode == 0, same.stdout
    assert f"{rows} passed" in same.stdout
    changed_run = run_pytest("--bench-run", str(new), "--bench-baseline", str(tmp_path / "b.json"), folder=empty)
    assert changed_run.returncode == 1
    assert f"1 failed, {rows - 2} passed, 1 skipped" in changed_run.stdout
    assert "REGRESSED: 2.00 points of accuracy lost on 2,000 texts" in changed_run.stdout
    assert "of macro F1 lost" in changed_run.stdout
    assert "MISSING: not in this run" in changed_run.stdout
    assert "Traceback" not in changed_run.stdout


def test_pytest_refuses_half_the_options_and_unreadable_files(tmp_path: Path) -> None:
    half = run_pytest("--bench-run", str(tmp_path), folder=tmp_path)
    assert half.returncode == 4
    assert "must be given together" in half.stderr
    none = run_pytest("--bench-run", str(tmp_path), "--bench-baseline", str(tmp_path / "b.json"), folder=tmp_path)
    assert none.returncode == 4
    assert "run.json" in none.stderr


# ---------------------------------------------------------------- the workflow of the documentation


def test_the_workflow_of_the_documentation_is_yaml_and_its_commands_exist() -> None:
    page = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
    workflow = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    steps = workflow["jobs"]["gate"]["steps"]
    lines = [line for step in steps for line in step.get("run", "").splitlines() if "bench " in line]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line[line.index("bench ") :])[1:]
        command = cli.get_command(click.Context(cli), words[0])
        assert command is not None, line
        command.make_context(words[0], words[1:])
