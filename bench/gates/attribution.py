"""Which change made a row worse: one part of the head at a time is put back to the base's and the gate judges again."""

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
from bench.gates.rules import judge_answers
from bench.gates.speed_rows import SpeedOptions, find_classifier, worker_task
from bench.gates.turns import HERE, Side, SpeedWorker
from bench.messages import message
from bench.plan.engines import reference_engine
from bench.results.records import StoredRun
from bench.results.verdicts import Attribution, Swap, Verdict
from bench.types import Classifier

TOKENIZER = "tokenizer.json"
_SAME = message("the same in base and head")


@dataclass(frozen=True)
class _Row:
    """What a row's swaps share."""

    head: Classifier
    base: Classifier
    side: Side
    answers: RowAnswers
    scratch: Path
    log: Path


def attribute(
    run: StoredRun, baseline: Baseline, base_folder: Path | None, options: SpeedOptions, console: RunConsole
) -> tuple[Attribution, ...]:
    """One attribution a row whose accuracy regressed.

    Raises NotComparable as `bench check` does, NotAvailable when a classifier or the texts are not on this machine.
    """
    results = {row_key(result.cell): result for result in run.results}
    old = {row.cell.id: row for row in baseline.rows}
    answers = unpack(baseline)
    found = []
    for row in check_run(run, baseline).rows:
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
                scratch=Path(scratch),
                log=run.folder / "logs" / f"{result.cell.id}.attribute.log",
            )
            again = _told(console, row.name, _judged(message("nothing, asked again"), shared, shared.side))
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
    console.line(f"{name}: {swap.part}: {swap.judgement.verdict if swap.judgement else swap.note}")
    return swap


def _swaps(row: _Row, options: SpeedOptions) -> Iterator[Swap]:
    """Weights, tokenizer, engine, libraries, code, each alone; halves together where neither alone repairs the row."""
    halves = [_classifier_swap(row, "weights"), _classifier_swap(row, "tokenizer")]
    yield from halves
    if not any(half.repairs for half in halves) and row.head.sha256 != row.base.sha256:
        yield _judged(message("weights and tokenizer"), row, _serving(row.side, row.base.path))
    yield _engine_swap(row)
    yield from _surroundings(row, options)


def _surroundings(row: _Row, options: SpeedOptions) -> Iterator[Swap]:
    """The base's interpreter with its libraries, and the base's checkout of the harness, where they were named."""
    python, source = options.base_python, options.base_source
    halves = []
    if python == row.side.python.absolute():
        note = message("not tried: name the base's interpreter with --base-python")
        yield Swap(part=message("libraries"), judgement=None, note=note)
    else:
        halves.append(_judged(message("libraries"), row, replace(row.side, python=python)))
        yield halves[-1]
    if source == HERE:
        note = message("not tried: name the base's checkout with --base-source")
        yield Swap(part=message("code"), judgement=None, note=note)
    else:
        halves.append(_judged(message("code"), row, replace(row.side, source=source)))
        yield halves[-1]
    if len(halves) == 2 and not any(half.repairs for half in halves):
        yield _judged(message("libraries and code"), row, replace(row.side, python=python, source=source))


def _classifier_swap(row: _Row, name: str) -> Swap:
    part = message(name)
    if row.head.kind != row.base.kind or row.head.class_names != row.base.class_names:
        note = message("not tried: base and head are different kinds of classifier")
        return Swap(part=part, judgement=None, note=note)
    tokenizers = [_tokenizer(row.head), _tokenizer(row.base)]
    if None in tokenizers:
        note = message("not tried: a classifier without tokenizer.json keeps its vocabulary with its weights")
        return Swap(part=part, judgement=None, note=note) if name == "tokenizer" else _whole(row, part)
    same = tokenizers[0] == tokenizers[1] if name == "tokenizer" else _weights(row.head) == _weights(row.base)
    if same:
        return Swap(part=part, judgement=None, note=_SAME)
    weights, tokenizer = (row.base, row.head) if name == "weights" else (row.head, row.base)
    return _judged(part, row, _serving(row.side, _crossed(weights, tokenizer, row.scratch / name)))


def _whole(row: _Row, part: str) -> Swap:
    if row.head.sha256 == row.base.sha256:
        return Swap(part=part, judgement=None, note=_SAME)
    return _judged(part, row, _serving(row.side, row.base.path))


def _engine_swap(row: _Row) -> Swap:
    """The base's engine is not here, but the reference engine is: it tells whether the head's engine did it."""
    reference = reference_engine(row.head.kind)
    if reference is None:
        return Swap(part=message("engine"), judgement=None, note=message("not tried: no engine here holds its weights"))
    if row.side.task.engine == reference.name:
        note = message("not tried: {engine} is the reference engine itself", engine=reference.name)
        return Swap(part=message("engine"), judgement=None, note=note)
    side = replace(row.side, task=row.side.task.model_copy(update={"engine": reference.name, "engine_spec": None}))
    return _judged(message("engine"), row, side)


def _serving(side: Side, classifier: Path) -> Side:
    return replace(side, task=side.task.model_copy(update={"classifier": classifier.resolve()}))


def _judged(part: str, row: _Row, side: Side) -> Swap:
    try:
        with SpeedWorker(side, row.log) as worker:
            answer = worker.ask({"answers": True})
    except BenchError as error:
        return Swap(part=part, judgement=None, note=message("does not run: {error}", error=str(error)))
    ids, labels = np.array(answer["ids"]), np.array(answer["labels"])
    _, old, new = np.intersect1d(row.answers.ids, ids, assume_unique=True, return_indices=True)
    judgement = judge_answers(row.answers.labels[old], row.answers.predictions[old], labels[new])
    return Swap(part=part, judgement=judgement)


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
