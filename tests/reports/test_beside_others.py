"""A rate measured beside others: its star, its mark and its note wherever it is shown, and that it ranks with none."""

from __future__ import annotations

from dataclasses import replace

import synthetic_runs as synthetic
from printed_reports import printed, table
from rich.console import Console
from synthetic_load import beside_others

from bench.results.demands import Demands
from bench.results.records import StoredRun
from reports.advice.advice import advise
from reports.advice.lines import lines_of
from reports.columns.column import Told
from reports.columns.leaderboard import export_values
from reports.content.pareto import pareto_cells
from reports.content.results import tasks_of
from reports.content.standing import Standing
from reports.html.rows import page_points, page_table
from reports.leaderboard import render_leaderboard

RUN = synthetic.full_run()
NOTE = "*: measured beside other processes, which held it up for up to 30% of its time and had 83% of the cores then"
TFIDF = "tfidf"


def crowded(*recipes: str) -> StoredRun:
    """The run with these recipes' rows measured beside others; of all rows where none is named."""
    results = []
    for row in RUN.results:
        if row.load and (not recipes or row.cell.recipe in recipes):
            load = {name: beside_others(summary) for name, summary in row.load.items()}
            results.append(row.model_copy(update={"load": load, "beside_others": True}))
        else:
            results.append(row)
    return replace(RUN, results=tuple(results))


def test_the_star_and_its_note_stand_in_tables_and_on_the_terminal() -> None:
    leaderboard = render_leaderboard(crowded(TFIDF))
    for title in ("Leaderboard", "RPS: one", "Throughput: all"):
        rows = table(leaderboard, title)
        rates = {row["classifier"]: cell for row in rows for name, cell in row.items() if "/s)" in name and cell != "-"}
        assert {name for name, cell in rates.items() if cell.endswith("*")} == {TFIDF}
    assert NOTE in leaderboard.markdown.replace("\\*", "*")
    assert NOTE in " ".join(printed(leaderboard, 160).split())
    screen = Console(width=80, force_terminal=False)
    with screen.capture() as captured:
        leaderboard.print(screen, full=False)
    assert NOTE[:60] in " ".join(captured.get().split())
    assert "beside others" not in render_leaderboard(RUN).markdown


def test_the_page_says_it_and_the_line_is_drawn_without_it() -> None:
    [task] = tasks_of(crowded(TFIDF))
    rows = page_table(task, Standing(None), ("single",), "en")
    names = [column["key"] for column in rows["columns"]]
    [at] = [at for at, shown in enumerate(rows["shown"]) if shown[names.index("classifier")] == TFIDF]
    assert "measured beside other processes" in rows["reasons"][at]
    assert rows["shown"][at][names.index("single")].endswith("*")
    assert names.index("single") in rows["warned"][at]
    fronts = page_points(task, Standing(None), ("single",))["fronts"]
    assert fronts["macro F1|single"]
    assert all(at not in front for front in fronts.values())


def test_exports_have_it_as_numbers() -> None:
    [task] = tasks_of(crowded(TFIDF))
    told = {row.cell.recipe: export_values(Told(task, group, row), ("single",)) for group, row in task.cells()}
    marked = told[TFIDF]
    assert (marked["single_beside_others"], marked["single_held_up_share"], marked["single_others_share"]) == (
        True,
        0.3,
        0.83,
    )
    assert marked["single_rate_rps"] is not None
    assert marked["marks"] == "speed beside others"
    assert told["lora"]["single_beside_others"] is None


def test_by_rate_it_ranks_with_none() -> None:
    [before], [after] = tasks_of(RUN), tasks_of(crowded(TFIDF))
    [cell] = [row.cell.id for _, row in after.cells() if row.cell.recipe == TFIDF]
    assert cell in pareto_cells(before)
    assert cell not in pareto_cells(after)
    assert pareto_cells(tasks_of(crowded())[0]) == frozenset()


def test_advice_takes_what_it_misses_for_unknown_and_what_it_meets_for_met() -> None:
    [met] = advise(crowded(TFIDF), Demands(min_f1=0.85, rps=50))
    assert met.chosen and met.chosen.name == "tfidf/sklearn"
    assert "Measured beside others, so faster than their rates say" in "\n".join(lines_of(met))
    [missed] = advise(crowded(TFIDF), Demands(rps=1e6))
    fates = {each.name: check.fate for each in missed.candidates for check in each.checks}
    assert fates["tfidf/sklearn"] == "unknown"
    assert fates["full-finetune/onnx"] == "not met"
