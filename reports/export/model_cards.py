"""Writes Hugging Face model cards: each classifier's figures as `model-index` metadata, one result an engine.

Written by huggingface_hub's own classes (https://github.com/huggingface/hub-docs/blob/main/modelcard.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench.results.records import Interval, Result, StoredRun
from reports.content.provenance import provenance
from reports.content.results import Group, TaskResults, tasks_of
from reports.content.speed import ranked
from reports.render.markdown import clean, escape

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASK_TYPE, TASK_NAME = "text-classification", "Text Classification"
QUALITY = {
    "accuracy": ("accuracy", "Accuracy"),
    "macro_f1": ("f1", "Macro F1"),
    "macro_precision": ("precision", "Macro precision"),
    "macro_recall": ("recall", "Macro recall"),
}


def model_cards(run: StoredRun) -> dict[str, str]:
    """The card of every classifier that answered, by its name; metadata in front, where the figures come from below."""
    cards: dict[str, str] = {}
    for task in tasks_of(run):
        for group in task.groups:
            if group.shown is not None:
                name = _folder(task, group)
                cards[name] = _card(run, task, group, name)
    return cards


def _folder(task: TaskResults, group: Group) -> str:
    """A name that a model repository may have."""
    kept = f"{task.data.task}.{group.recipe}.s{group.seed}" + (f".{group.machine}" if group.machine else "")
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in kept)


def _card(run: StoredRun, task: TaskResults, group: Group, name: str) -> str:
    from huggingface_hub import ModelCardData

    from_hub = task.data.source.kind in ("hub", "hub-cache")
    data = ModelCardData(
        language=task.data.language,
        pipeline_tag=TASK_TYPE,
        base_model=group.base_model if group.base_model and "/" in group.base_model else None,
        datasets=[task.data.source.name] if from_hub else None,
        metrics=["accuracy", "f1"],
        model_name=name,
        eval_results=[result for measured in group.results for result in _results(task, measured)],
    )
    lines = "\n".join(f"- {escape(line)}" for line in provenance(task.data, run.settings, run.environment))
    title = escape(f"{group.name} on {task.data.title}")
    return f"---\n{data.to_yaml()}\n---\n\n# {title}\n\nMeasured by bench, the classifier benchmark:\n\n{lines}\n"


def _results(task: TaskResults, result: Result) -> Iterator[EvalResult]:
    """Quality and the believable rates of one engine; the engine is the metric's argument."""
    from huggingface_hub import EvalResult

    data, quality, engine = task.data, result.quality, result.cell.engine
    if quality is None:
        return
    from_hub = data.source.kind in ("hub", "hub-cache")
    common: dict[str, Any] = {
        "task_type": TASK_TYPE,
        "task_name": TASK_NAME,
        "dataset_type": clean(data.source.name) if from_hub else clean(data.task),
        "dataset_name": clean(data.title),
        "dataset_split": "test",
        "dataset_revision": data.source.revision,
        "dataset_args": {"texts": quality.n, "of": data.full_sizes.test, "fingerprint": data.fingerprint},
    }
    for field, (metric, name) in QUALITY.items():
        figure = getattr(quality, field)
        yield EvalResult(
            **common,
            metric_type=metric,
            metric_value=figure.value,
            metric_name=f"{name} ({engine})",
            metric_args={"engine": engine, **_bounds(figure)},
        )
    for summary in result.load.values():
        if ranked(result, summary.scenario):
            yield EvalResult(
                **common,
                metric_type="throughput",
                metric_value=summary.rate_rps,
                metric_name=f"Texts a second ({engine}, LoadGen {summary.scenario})",
                metric_args={"engine": engine, "scenario": summary.scenario, "tier": summary.tier},
            )


def _bounds(figure: Interval) -> dict[str, float]:
    """The 95 % interval, where the texts were enough for one."""
    return {} if figure.items_needed is not None else {"low_95": figure.low, "high_95": figure.high}
