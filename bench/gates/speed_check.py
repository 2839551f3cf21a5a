"""Judges the speed of a checked run: every result's base and head found on this machine and measured by turns."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.classifiers.folder import load_classifier
from bench.data.prepared import find_stored
from bench.errors import AssetError, BenchError, NotAvailable, NotComparable, UsageError
from bench.execution.console import RunConsole
from bench.files.cache import cache_dir
from bench.gates.baseline import Baseline, BaselineResult
from bench.gates.check import result_key
from bench.gates.turns import HERE, MOST_TURNS, TURN_S, Side, compare_speed
from bench.gates.worker import WorkerTask
from bench.machine.environment import hardware_fingerprint
from bench.plan.engines import load_engines, with_options
from bench.results.autotuned import THREADS
from bench.results.records import Result, StoredRun
from bench.results.verdicts import Check, CheckedResult, Reason, SpeedJudgement, Verdict, worst
from bench.types import EngineSpec, Scenario


@dataclass(frozen=True)
class SpeedOptions:
    """Where the base's code and libraries are, and how many turns a scenario may take."""

    base_source: Path
    base_python: Path
    most_turns: int

    @classmethod
    def of(cls, base_source: Path | None, base_python: Path | None, most_turns: int | None) -> SpeedOptions:
        """This checkout, this interpreter and 120 turns by default; raises UsageError for what is not there."""
        source = (base_source or HERE).resolve()
        if not (source / "bench" / "speed_worker.py").is_file():
            raise UsageError(f"--base-source {source} is no checkout of this harness with a speed gate")
        python = base_python or Path(sys.executable)
        if not python.is_file():
            raise UsageError(f"--base-python {python} is no file; name an interpreter, e.g. ../base/.venv/bin/python")
        return cls(source, python.absolute(), most_turns or MOST_TURNS)


def gate_speed(
    check: Check,
    run: StoredRun,
    baseline: Baseline,
    base_folder: Path | None,
    options: SpeedOptions,
    console: RunConsole,
) -> Check:
    """The check with every result's speed judged.

    Raises NotComparable when one of the two was made on another machine, NotAvailable when a classifier or the texts
    are not here.
    """
    _refuse_other_machines(run, baseline)
    results = {result_key(result.cell): result for result in run.results}
    old = {checked.cell.id: checked for checked in baseline.rows}
    judged = []
    for checked in check.rows:
        result = results.get(result_key(checked.cell))
        if result is None or not _scenarios(result):
            judged.append(checked)
            continue
        console.start(f"{checked.cell.task} {checked.name}")
        judged.append(_gate_result(checked, old[checked.cell.id], result, run, base_folder, options, console))
    return check.model_copy(update={"rows": tuple(judged)})


def _gate_result(
    checked: CheckedResult,
    old: BaselineResult,
    result: Result,
    run: StoredRun,
    base_folder: Path | None,
    options: SpeedOptions,
    console: RunConsole,
) -> CheckedResult:
    head_task = worker_task(result, run, find_classifier(result.classifier_sha256, run.folder))
    base_task = head_task.model_copy(update={"classifier": find_classifier(old.classifier_sha256, base_folder)})
    base = Side(base_task, options.base_python, options.base_source)
    try:
        log = run.folder / "logs" / f"{result.cell.id}.speed.log"
        speed = compare_speed(base, Side(head_task), _scenarios(result), log, console.progress, options.most_turns)
    except BenchError as error:
        return checked.model_copy(
            update={"verdict": Verdict.FAILED, "reason": Reason.SPEED_FAILED, "detail": str(error)}
        )
    console.line(f"{checked.cell.task} {checked.name}: {_measured(speed)}")
    verdict = worst(checked.verdict, *(part.verdict for part in speed))
    return checked.model_copy(update={"verdict": verdict, "speed": speed})


def _measured(speed: tuple[SpeedJudgement, ...]) -> str:
    return ", ".join(f"{part.scenario} {part.slowdown.value:+.1%} time a text: {part.verdict}" for part in speed)


def worker_task(result: Result, run: StoredRun, classifier: Path) -> WorkerTask:
    """The result as its run served it, with this classifier; raises NotAvailable when its texts are not here."""
    data = find_stored(cache_dir(), result.data)
    if data is None:
        raise NotAvailable(f"{result.cell.task}: the texts are not in the cache; run the suite on this machine first")
    if result.cell.engine not in load_engines():
        raise NotAvailable(
            f"{result.cell.task} {result.cell.engine}: your own engine (--backends-file), whose settings are not "
            "stored; run the others alone to judge their speed"
        )
    return WorkerTask(
        classifier=classifier,
        engine=str(result.cell.engine),
        engine_spec=_as_tuned(result, run.settings.device),
        data_folder=data,
        items=result.test_items or result.data.sizes.test,
        device=run.settings.device,
        threads=(result.tuning and result.tuning.settings.get(THREADS)) or run.settings.threads,
        cache=cache_dir(),
    )


def _as_tuned(result: Result, device: str) -> EngineSpec | None:
    """The engine with the settings that --autotune found; None where engines.toml's were used."""
    if result.tuning is None:
        return None
    return with_options(load_engines()[str(result.cell.engine)], device, result.tuning.options)


def _scenarios(result: Result) -> tuple[Scenario, ...]:
    return tuple(scenario for scenario in TURN_S if scenario in result.load)


def find_classifier(sha256: str | None, folder: Path | None) -> Path:
    """The classifier of that content in a run folder or in the cache; raises NotAvailable when it is in neither."""
    for path in _classifiers(folder):
        try:
            found = load_classifier(path)
        except AssetError:
            continue
        if found.sha256 == sha256:
            return found.path.resolve()
    shown = sha256[:12] if sha256 else "not recorded"
    raise NotAvailable(
        f"the classifier with the sha256 {shown} is not on this machine; give the run folder that made it as --baseline"
    )


def _classifiers(folder: Path | None) -> Iterator[Path]:
    for parent in ([folder / "classifiers"] if folder else []) + [cache_dir() / "classifiers"]:
        yield from sorted(parent.glob("*/")) if parent.is_dir() else ()


def _refuse_other_machines(run: StoredRun, baseline: Baseline) -> None:
    here = hardware_fingerprint()
    for what, there in (("run", run.environment.get("hardware_sha256")), ("baseline", baseline.hardware_sha256)):
        if there != here:
            raise NotComparable(
                f"the {what} was made on another machine (hardware {str(there)[:12]}, here {here[:12]}); speed compares"
                " on one machine only: run both here, or check without --speed"
            )
