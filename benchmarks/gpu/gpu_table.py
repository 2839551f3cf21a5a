"""The table of benchmarks/gpu/measure.py from its run folders: rates, published rates, share of the limit, targets.

python benchmarks/gpu/gpu_table.py RUNS TABLE.md [NOTE ...]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.results.published import published_figures
from bench.results.records import Result, Status
from bench.results.store import CELLS, read_environment, read_record

SOURCE, SUITE, METRIC = "qwen3-0.6b-vs-bert", "agnews", "rps"
# a recipe of the runs and the published row that its rate is compared with
PUBLISHED_ROWS = {"random-bert-base-uncased": "A1", "random-qwen3-0.6b": "A2", "random-qwen3-0.6b-options": "A3"}
OFFLINE_TIMES, SINGLE_TIMES, SHARE = 10.0, 2.0, 0.4
# random weights decide by a hair, so that labels flip at any rounding: their rows are judged by probabilities
NEAR_TIE = 0.05
SHARED_RECIPE = "random-qwen3-0.6b"
COLUMNS = (
    "classifier",
    "engine",
    "single, req/s",
    "x published",
    "p50, ms",
    "offline, texts/s",
    "x published",
    "share of the matmul limit",
    "tokens/s",
    "equal labels",
    "largest probability difference",
    "F1",
    "GPU memory",
    "recompiles",
)
HEADER = f"| {' | '.join(COLUMNS)} |\n|---|---|{'---:|' * (len(COLUMNS) - 2)}"


@dataclass(frozen=True)
class Best:
    """The best figure of a recipe among the rows whose answers are the reference's; None where there is none."""

    single_times: float | None
    offline_times: float | None
    share: float | None


def main() -> None:
    folder, target, title, notes = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
    runs = [path for path in sorted(folder.glob("*")) if (path / CELLS).is_dir()]
    # all cells of a folder: several runs added to it, and its settings name those of the last
    results = [read_record(cell, Result) for run in runs for cell in sorted((run / CELLS).glob("*.json"))]
    environment = read_environment(runs[-1]) if runs else {}
    target.write_text(table(title, results, environment, notes), encoding="utf-8")


def table(title: str, results: list[Result], environment: dict[str, Any], notes: list[str]) -> str:
    """Markdown: the machine, a row a cell, the targets, what failed."""
    measured = [result for result in results if result.status is Status.OK]
    failed = [f"- {_name(result)}: {result.status}: {result.reason}" for result in results if result not in measured]
    lines = [f"# {title}", "", *_machine(environment, measured), "", HEADER, *map(_row, measured), ""]
    lines += [
        f"Targets, each by the best engine that keeps the answers (random weights: probabilities within {NEAR_TIE}):",
        "",
        *_targets(measured),
    ]
    if failed or notes:
        lines += ["", "Not measured:", "", *failed, *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _machine(environment: dict[str, Any], measured: list[Result]) -> list[str]:
    gpus = [
        f"{gpu['name']}, driver {gpu['driver_version']}, {gpu['memory.total']} MiB, {gpu['power.limit']} W"
        for gpu in environment.get("gpus") or ()
    ]
    packages = environment.get("packages") or {}
    cpu = environment.get("cpu") or {}
    versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    commit = (environment.get("git") or {}).get("commit")
    lines = [
        f"{'; '.join(gpus) or 'no GPU'}; CPU {cpu.get('model')}, {environment.get('threads')} threads; Python "
        f"{environment.get('python')}; {versions}; commit {commit or 'unknown (no git here)'}.",
        "",
    ]
    limits = {
        (limit.device, limit.precision): limit for limit in (result.work.limits for result in measured if result.work)
    }
    lines += [
        f"- Limit of {device}, {precision}: {limit.matmul_flops_per_s / 1e12:,.1f} TFLOP/s ({limit.matmul_library}), "
        f"{limit.memory_bytes_per_s / 1e9:,.0f} GB/s."
        for (device, precision), limit in sorted(limits.items())
    ]
    for data in {result.data.fingerprint: result.data for result in measured}.values():
        lines.append(f"- Texts: {data.title}, {data.source.kind}; {data.source.note or 'no note'}.")
    lines.append("- x published: the highest rate that " + SOURCE + " gives for the same system on an RTX 3090.")
    return lines


def _row(result: Result) -> str:
    single, offline = result.load.get("single"), result.load.get("offline")
    published = published_rate(result)
    share = offline.runs[0].matmul_share if offline else None
    tokens = offline.runs[0].tokens_per_s if offline else None
    recompiles = [run.recompiles for load in result.load.values() for run in load.runs if run.recompiles is not None]
    device_bytes = result.session.peak_device_bytes if result.session else None
    cells = [
        result.cell.recipe,
        result.cell.engine,
        _rate(single),
        _times(single, published),
        f"{single.p50_ms:.2f}" if single and single.p50_ms else "-",
        _rate(offline),
        _times(offline, published),
        f"{share:.1%}" if share else "-",
        f"{tokens:,.0f}" if tokens else "-",
        *_certificate(result),
        f"{result.quality.macro_f1.value:.4f}" if result.quality else "-",
        f"{device_bytes / 2**30:.1f} GiB" if device_bytes else "-",
        str(sum(recompiles)) if recompiles else "-",
    ]
    return f"| {' | '.join(cells)} |"


def _certificate(result: Result) -> tuple[str, str]:
    if result.parity is None:
        return "reference", "-"
    changed = "" if result.parity.passed else " (changes answers)"
    return f"{result.parity.equal_labels:.2%}{changed}", f"{result.parity.largest_probability_difference:.1e}"


def published_rate(result: Result) -> float | None:
    """The highest published rate of the same system, requests/s."""
    row = PUBLISHED_ROWS.get(result.cell.recipe)
    rates = [
        float(figure.value)
        for figure in published_figures()
        if figure.source == SOURCE and figure.suite == SUITE and figure.metric == METRIC and figure.row == row
    ]
    return max(rates, default=None)


def _rate(load: Any) -> str:
    if load is None:
        return "-"
    return f"{load.rate_rps:,.1f}" + ("" if load.valid else " (INVALID)")


def _times(load: Any, published: float | None) -> str:
    return f"{load.rate_rps / published:.1f}" if load and published else "-"


def _name(result: Result) -> str:
    return f"{result.cell.recipe}, {result.cell.engine}"


def best_of(results: list[Result], recipe: str) -> Best:
    """Over valid runs of rows that keep the answers, the reference's included."""
    rows = [
        result for result in results if result.cell.recipe == recipe and (result.parity is None or result.parity.passed)
    ]

    def highest(scenario: str, figure: Any) -> float | None:
        loads = ((result, result.load.get(scenario)) for result in rows)
        found = (figure(result, load) for result, load in loads if load and load.valid)
        return max((value for value in found if value is not None), default=None)

    def times(result: Result, load: Any) -> float | None:
        published = published_rate(result)
        return load.rate_rps / published if published else None

    return Best(
        single_times=highest("single", times),
        offline_times=highest("offline", times),
        share=highest("offline", lambda _, load: load.runs[0].matmul_share),
    )


def _keeps_answers(result: Result) -> bool:
    if result.parity is None or result.parity.passed:
        return True
    return result.cell.weights == "random" and result.parity.largest_probability_difference <= NEAR_TIE


def _targets(measured: list[Result]) -> list[str]:
    lines = []
    for recipe in PUBLISHED_ROWS:
        best = best_of(measured, recipe)
        lines.append(_target(f"{recipe}, offline, times the published rate", best.offline_times, OFFLINE_TIMES, ".1f"))
        lines.append(_target(f"{recipe}, single, times the published rate", best.single_times, SINGLE_TIMES, ".1f"))
    share = best_of(measured, SHARED_RECIPE).share
    return [*lines, _target(f"{SHARED_RECIPE}, offline, share of the measured bf16 matmul limit", share, SHARE, ".1%")]


def _target(what: str, value: float | None, wanted: float, form: str) -> str:
    if value is None:
        return f"- {what}: not measured (wanted: {wanted:{form}})"
    return f"- {what}: {value:{form}}, {'reached' if value >= wanted else 'NOT reached'} (wanted: {wanted:{form}})"


if __name__ == "__main__":
    main()
