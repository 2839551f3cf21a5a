"""Run folders and baselines that are damaged, incomplete or of something else: refused in one line, or a row."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import assert_one_line_error, bench
from gate_runs import stored
from synthetic_runs import full_run

from bench.errors import NotComparable, StoreError
from bench.gates.baseline import make_baseline, write_baseline
from bench.gates.check import check_run
from bench.results.records import StoredRun
from bench.results.store import open_run

RUN = full_run()
CELL = RUN.results[0].cell.id
Damage = Callable[[Path], None]


def half_a_cell(folder: Path) -> None:
    path = folder / "cells" / f"{CELL}.json"
    path.write_text(path.read_text(encoding="utf-8")[:200], encoding="utf-8")


def half_predictions(folder: Path) -> None:
    path = folder / "predictions" / f"{CELL}.parquet"
    path.write_bytes(path.read_bytes()[:100])


def no_predictions(folder: Path) -> None:
    (folder / "predictions" / f"{CELL}.parquet").unlink()


def an_item_twice(folder: Path) -> None:
    path = folder / "predictions" / f"{CELL}.parquet"
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), path)


def nan_probabilities(folder: Path) -> None:
    path = folder / "predictions" / f"{CELL}.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("probabilities")
    rows = table["probabilities"].to_pylist()
    rows[3] = [math.nan] * len(rows[3])
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(rows, type=table.schema.field(at).type)), path)


def nan_accuracy(folder: Path) -> None:
    path = folder / "cells" / f"{CELL}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["quality"]["accuracy"]["value"] = math.nan
    path.write_text(json.dumps(content), encoding="utf-8")


def no_settings(folder: Path) -> None:
    (folder / "run.json").unlink()


def another_schema(folder: Path) -> None:
    path = folder / "cells" / f"{CELL}.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"schema_version": 1', '"schema_version": 99', 1))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (half_a_cell, "is not JSON"),
        (half_predictions, "cannot be read as predictions"),
        (no_predictions, "cannot be read as predictions"),
        (an_item_twice, "the same test item twice"),
        (nan_probabilities, "no numbers"),
        (nan_accuracy, "quality.accuracy.value"),
        (no_settings, "holds no run.json"),
        (another_schema, "schema version 99"),
    ],
)
def test_a_damaged_run_folder_is_refused_with_the_file_and_what_to_do(
    damage: Damage, said: str, tmp_path: Path
) -> None:
    folder = stored(RUN, tmp_path / "run")
    damage(folder)
    with pytest.raises(StoreError, match=said) as caught:
        open_run(folder)
    assert str(folder) in str(caught.value)
    assert ";" in str(caught.value), "what to do"


def test_the_commands_say_it_in_one_line(tmp_path: Path) -> None:
    folder = stored(RUN, tmp_path / "run")
    an_item_twice(folder)
    for command in (("report",), ("check", "--baseline", str(folder)), ("compare", str(folder))):
        assert_one_line_error(bench(command[0], str(folder), *command[1:]), 6, "same test item twice", "run again")


def test_a_baseline_of_another_schema_is_not_comparable(tmp_path: Path) -> None:
    folder, baseline = stored(RUN, tmp_path / "run"), tmp_path / "baseline.json"
    write_baseline(baseline, make_baseline(RUN))
    baseline.write_text(json.dumps({**json.loads(baseline.read_text()), "schema_version": 99}))
    done = bench("check", str(folder), "--baseline", str(baseline))
    assert_one_line_error(done, 8, "schema version 99", "bench baseline")


def test_a_row_that_is_there_twice_is_not_judged_by_either() -> None:
    twice = RUN.results[0].model_copy(
        update={"cell": RUN.results[0].cell.model_copy(update={"id": f"{CELL}.again"})},
    )
    answers = {**RUN.answers, f"{CELL}.again": RUN.answers[CELL]}
    run: StoredRun = replace(RUN, results=(*RUN.results, twice), answers=answers)
    with pytest.raises(NotComparable, match=r"the same result twice.*again"):
        check_run(run, make_baseline(RUN))


def test_cells_that_are_not_there_are_missing_rows(tmp_path: Path) -> None:
    folder = stored(RUN, tmp_path / "run")
    (folder / "cells" / f"{CELL}.json").unlink()
    done = bench("check", str(folder), "--baseline", str(stored(RUN, tmp_path / "base")))
    assert done.returncode == 10
    assert "MISSING" in done.stdout
