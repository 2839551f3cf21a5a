"""A second run into a folder keeps the first one's rows listed until it is complete."""

from __future__ import annotations

from pathlib import Path

from gate_runs import stored
from synthetic_runs import full_run

from bench.execution.run import _earlier_results, _with_earlier


def test_rows_of_the_last_run_stay_until_this_one_replaces_them(tmp_path: Path) -> None:
    run = full_run()
    earlier = _earlier_results(stored(run, tmp_path / "run"))
    assert [row.cell.id for row in earlier] == [row.cell.id for row in run.results]
    first = run.results[0]
    anew = first.model_copy(update={"cell": first.cell.model_copy(update={"id": f"{first.cell.id}-anew"})})
    both = _with_earlier([anew], earlier)
    assert both[0] == anew
    assert len(both) == len(run.results)
    assert first.cell.id not in [row.cell.id for row in both]


def test_a_damaged_row_of_the_last_run_is_left_out(tmp_path: Path) -> None:
    run = full_run()
    folder = stored(run, tmp_path / "run")
    (folder / "cells" / f"{run.results[0].cell.id}.json").write_text("{", encoding="utf-8")
    assert len(_earlier_results(folder)) == len(run.results) - 1


def test_a_new_folder_has_none(tmp_path: Path) -> None:
    assert _earlier_results(tmp_path) == []
