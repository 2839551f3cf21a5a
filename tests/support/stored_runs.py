"""Invented runs as folders on disk."""

from __future__ import annotations

from pathlib import Path

from bench.results.records import StoredRun
from bench.results.store import (
    ENVIRONMENT,
    SETTINGS,
    answers_path,
    result_path,
    write_answers,
    write_json,
    write_record,
)


def store(run: StoredRun, folder: Path, **environment: object) -> Path:
    """Write the run folder as `bench run` would; returns the folder."""
    write_record(folder / SETTINGS, run.settings)
    write_json(folder / ENVIRONMENT, {**run.environment, **environment})
    for result in run.results:
        write_record(result_path(folder, result.cell.id), result)
    for cell_id, answers in run.answers.items():
        write_answers(answers_path(folder, cell_id), answers)
    for result in run.results:
        if result.validation_file:
            write_answers(folder / result.validation_file, run.validation[result.cell.id])
    return folder
