"""Finds which change made a row worse: one part of the head at a time is put back to the base's and judged again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.classifiers.folder import load_classifier, save_classifier
from bench.errors import BenchError
from bench.execution.console import RunConsole
from bench.files.cache import link_or_copy
from bench.gates.baseline import Baseline, RowAnswers, unpack
from bench.gates.check import check_run, row_key
from bench.gates.quality_rules import MARGIN, SEED_SPREAD, Sides, judge
from bench.gates.speed_rows import SpeedOptions, find_classifier, worker_task
from bench.gates.turns import HERE, Side, SpeedWorker
from bench.plan.engines import reference_engine
from bench.results.records import StoredRun
from bench.results.verdicts import Attribution, Judgement, Part, Swap, Untried, Verdict
from bench.types import Classifier

TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class _Row:
    """What a row's swaps share."""

    head: Classifier
    base: Classifier
    side: Side
    answers: RowAnswers
    margin: float
    class_count: int
    scratch: Path
    log: Path


def attribute(
    run: StoredRun,
    baseline: Baseline,
    base_folder: Path | None,
    options: SpeedOptions,
    console: RunConsole,
    margin: float = MARGIN,
    seed_spread: float = SEED_SPREAD,
) -> tuple[Attribution, ...]:
    """One attribution a row whose accuracy or macro F1 regressed, as `check_run` judges at this margin.

    Raises NotComparable as `bench check` does, NotAvailable when a classifier or the texts are not on this machine.
    """
    results = {row_key(result.cell): result for result in run.results}
    old = {row.cell.id: row for row in baseline.rows}
    answers = unpack(baseline)
    found = []
    for row in check_run(run, baseline, margin, seed_spread).rows:
        if row.verdict is not Verdict.REGRESSED or row.judgement is None:
            continue
        console.start(f"{row.cell.task} {row.name}")
        result = results[row_key(row.cell)]
        head = load_classifier(find_classifier(result.classifier_sha256, run.folder))
        base = load_classifier(find_classifier(old[row.cell.id].classifier_sha256, base_folder))
        with tempfile.TemporaryDirectory(prefix="bench-attribute-") as scratch:
            shared = _Row(
                head=head,
                base=base,
                side=Side(worker_task(result, run, head.path)),
                answers=answers[row.cell.id],
                margin=margin,
                class_count=len(result.data.class_names),
                scratch=Path(scratch),
                log=run.folder / "logs" / f"{result.cell.id}.attribute.log",
            )
            again = _told(console, row.name, _judged(Part.NOTHING, shared, shared.side))
            swaps = []
            if again.judgement and not again.repairs:
                swaps = [_told(console, row.name, swap) for swap in _swaps(shared, options)]
        found.append(
            Attribution(
                cell=row.cell,
                name=row.name,
                head=row.judgement,
                again=again,
                swaps=tuple(swaps),
                versions=_versions(baseline, run),
            )
        )
    return tuple(found)


def _told(console: RunConsole, name: str, swap: Swap) -> Swap:
    console.line(f"{name}: {swap.part}: {swap.judgement.verdict if swap.judgement else swap.untried}")
    return swap


def _swaps(row: _Row, options: SpeedOptions) -> Iterator[Swap]:
    """Weights, tokenizer, engine, libraries, code, each alone; halves together where neither alone repairs the row."""
    halves = [_classifier_swap(row, Part.WEIGHTS), _classifier_swap(row, Part.TOKENIZER)]
    yield from halves
    if not any(half.repairs for half in halves) and row.head.sha256 != row.base.sha256:
        yield _judged(Part.BOTH_HALVES, row, _serving(row.side, row.base.path))
    yield _engine_swap(row)
    yield from _surroundings(row, options)


def _surroundings(row: _Row, options: SpeedOptions) -> Iterator[Swap]:
    """The base's interpreter with its libraries, and the base's checkout of the harness, where they were named."""
    python, source = options.base_python, options.base_source
    halves = []
    if python == row.side.python.absolute():
        yield Swap(part=Part.LIBRARIES, untried=Untried.NO_BASE_PYTHON)
    else:
        halves.append(_judged(Part.LIBRARIES, row, replace(row.side, python=python)))
        yield halves[-1]
    if source == HERE:
        yield Swap(part=Part.CODE, untried=Untried.NO_BASE_SOURCE)
    else:
        halves.append(_judged(Part.CODE, row, replace(row.side, source=source)))
        yield halves[-1]
    if len(halves) == 2 and not any(half.repairs for half in halves):
        yield _judged(Part.SURROUNDINGS, row, replace(row.side, python=python, source=source))


def _classifier_swap(row: _Row, part: Part) -> Swap:
    if row.head.kind != row.base.kind or row.head.class_names != row.base.class_names:
        return Swap(part=part, untried=Untried.OTHER_KIND)
    tokenizers = [_tokenizer(row.head), _tokenizer(row.base)]
    if None in tokenizers:
        return Swap(part=part, untried=Untried.NO_TOKENIZER_FILE) if part is Part.TOKENIZER else _whole(row, part)
    same = tokenizers[0] == tokenizers[1] if part is Part.TOKENIZER else _weights(row.head) == _weights(row.base)
    if same:
        return Swap(part=part, untried=Untried.SAME)
    weights, tokenizer = (row.base, row.head) if part is Part.WEIGHTS else (row.head, row.base)
    return _judged(part, row, _serving(row.side, _crossed(weights, tokenizer, row.scratch / part.value)))


def _whole(row: _Row, part: Part) -> Swap:
    if row.head.sha256 == row.base.sha256:
        return Swap(part=part, untried=Untried.SAME)
    return _judged(part, row, _serving(row.side, row.base.path))


def _engine_swap(row: _Row) -> Swap:
    """The base's engine is not here, but the reference engine is: it tells whether the head's engine did it."""
    reference = reference_engine(row.head.kind)
    if reference is None:
        return Swap(part=Part.ENGINE, untried=Untried.NO_REFERENCE)
    if row.side.task.engine == reference.name:
        return Swap(part=Part.ENGINE, untried=Untried.IS_REFERENCE, detail=reference.name)
    side = replace(row.side, task=row.side.task.model_copy(update={"engine": reference.name, "engine_spec": None}))
    return _judged(Part.ENGINE, row, side)


def _serving(side: Side, classifier: Path) -> Side:
    return replace(side, task=side.task.model_copy(update={"classifier": classifier.resolve()}))


def _judged(part: Part, row: _Row, side: Side) -> Swap:
    try:
        with SpeedWorker(side, row.log) as worker:
            answer = worker.ask({"answers": True})
    except BenchError as error:
        return Swap(part=part, untried=Untried.DOES_NOT_RUN, detail=str(error))
    return Swap(part=part, judgement=_judge(row, np.array(answer["ids"]), np.array(answer["labels"])))


def _judge(row: _Row, ids: np.ndarray, labels: np.ndarray) -> Judgement:
    """One classifier against another on the items both answered: no luck of a training is in it."""
    _, old, new = np.intersect1d(row.answers.ids, ids, assume_unique=True, return_indices=True)
    answers = row.answers
    sides = Sides(answers.labels[old], [answers.predictions[old]], [labels[new]], row.class_count)
    return judge(sides, row.margin)


def _tokenizer(classifier: Classifier) -> tuple[str, int | None] | None:
    """What decides the token ids: the file and the length it is cut to."""
    digest = classifier.manifest.files.get(TOKENIZER)
    return None if digest is None else (digest, classifier.manifest.max_length)


def _weights(classifier: Classifier) -> dict[str, str]:
    return {name: digest for name, digest in classifier.manifest.files.items() if name != TOKENIZER}


def _crossed(weights: Classifier, tokenizer: Classifier, folder: Path) -> Path:
    """A classifier folder with everything of the one but the tokenizer of the other."""
    for name in _weights(weights):
        link_or_copy(weights.path / name, folder / name)
    link_or_copy(tokenizer.path / TOKENIZER, folder / TOKENIZER)
    save_classifier(folder, weights.manifest.model_copy(update={"max_length": tokenizer.manifest.max_length}))
    return folder


def _versions(baseline: Baseline, run: StoredRun) -> tuple[tuple[str, str | None, str | None], ...]:
    base, head = baseline.packages, run.environment.get("packages") or {}
    names = sorted(set(base) | set(head))
    return tuple((name, base.get(name), head.get(name)) for name in names if base.get(name) != head.get(name))
