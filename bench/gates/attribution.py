"""Finds which change made a result worse: one part of the head at a time is put back to the base's and judged again."""

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
from bench.gates.baseline import Baseline, JudgedAnswers, decode_answers
from bench.gates.check import check_run, result_key
from bench.gates.quality_rules import DEFAULT_RULE, QualityRule, Sides, judge
from bench.gates.speed_check import SpeedOptions, find_classifier, worker_task
from bench.gates.turns import HERE, Side, SpeedWorker
from bench.plan.engines import reference_engine
from bench.results.records import StoredRun
from bench.results.verdicts import Attribution, Judgement, Part, Swap, Untried, Verdict
from bench.types import Classifier

TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class _Case:
    """What a result's swaps share."""

    head: Classifier
    base: Classifier
    side: Side
    answers: JudgedAnswers
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
    rule: QualityRule = DEFAULT_RULE,
) -> tuple[Attribution, ...]:
    """One attribution a result whose accuracy or macro F1 regressed, as `check_run` judges by this rule.

    Raises NotComparable as `bench check` does, NotAvailable when a classifier or the texts are not on this machine.
    """
    results = {result_key(result.cell): result for result in run.results}
    old = {checked.cell.id: checked for checked in baseline.rows}
    answers = decode_answers(baseline)
    found = []
    for checked in check_run(run, baseline, rule).rows:
        if checked.verdict is not Verdict.REGRESSED or checked.judgement is None:
            continue
        console.start(f"{checked.cell.task} {checked.name}")
        result = results[result_key(checked.cell)]
        head = load_classifier(find_classifier(result.classifier_sha256, run.folder))
        base = load_classifier(find_classifier(old[checked.cell.id].classifier_sha256, base_folder))
        with tempfile.TemporaryDirectory(prefix="bench-attribute-") as scratch:
            shared = _Case(
                head=head,
                base=base,
                side=Side(worker_task(result, run, head.path)),
                answers=answers[checked.cell.id],
                margin=rule.margin,
                class_count=len(result.data.class_names),
                scratch=Path(scratch),
                log=run.folder / "logs" / f"{result.cell.id}.attribute.log",
            )
            again = _tell(console, checked.name, _judge_part(Part.NOTHING, shared, shared.side))
            swaps = []
            if again.judgement and not again.repairs:
                swaps = [_tell(console, checked.name, swap) for swap in _swaps(shared, options)]
        found.append(
            Attribution(
                cell=checked.cell,
                name=checked.name,
                head=checked.judgement,
                again=again,
                swaps=tuple(swaps),
                versions=_versions(baseline, run),
            )
        )
    return tuple(found)


def _tell(console: RunConsole, name: str, swap: Swap) -> Swap:
    console.line(f"{name}: {swap.part}: {swap.judgement.verdict if swap.judgement else swap.untried}")
    return swap


def _swaps(case: _Case, options: SpeedOptions) -> Iterator[Swap]:
    """Weights, tokenizer, engine, libraries, code, each alone; halves together where neither repairs the result."""
    halves = [_classifier_swap(case, Part.WEIGHTS), _classifier_swap(case, Part.TOKENIZER)]
    yield from halves
    if not any(half.repairs for half in halves) and case.head.sha256 != case.base.sha256:
        yield _judge_part(Part.BOTH_HALVES, case, _serve_from(case.side, case.base.path))
    yield _engine_swap(case)
    yield from _surroundings(case, options)


def _surroundings(case: _Case, options: SpeedOptions) -> Iterator[Swap]:
    """The base's interpreter with its libraries, and the base's checkout of the harness, where they were named."""
    python, source = options.base_python, options.base_source
    halves = []
    if python == case.side.python.absolute():
        yield Swap(part=Part.LIBRARIES, untried=Untried.NO_BASE_PYTHON)
    else:
        halves.append(_judge_part(Part.LIBRARIES, case, replace(case.side, python=python)))
        yield halves[-1]
    if source == HERE:
        yield Swap(part=Part.CODE, untried=Untried.NO_BASE_SOURCE)
    else:
        halves.append(_judge_part(Part.CODE, case, replace(case.side, source=source)))
        yield halves[-1]
    if len(halves) == 2 and not any(half.repairs for half in halves):
        yield _judge_part(Part.SURROUNDINGS, case, replace(case.side, python=python, source=source))


def _classifier_swap(case: _Case, part: Part) -> Swap:
    if case.head.kind != case.base.kind or case.head.class_names != case.base.class_names:
        return Swap(part=part, untried=Untried.OTHER_KIND)
    tokenizers = [_tokenizer(case.head), _tokenizer(case.base)]
    if None in tokenizers:
        return Swap(part=part, untried=Untried.NO_TOKENIZER_FILE) if part is Part.TOKENIZER else _whole(case, part)
    same = tokenizers[0] == tokenizers[1] if part is Part.TOKENIZER else _weights(case.head) == _weights(case.base)
    if same:
        return Swap(part=part, untried=Untried.SAME)
    weights, tokenizer = (case.base, case.head) if part is Part.WEIGHTS else (case.head, case.base)
    return _judge_part(part, case, _serve_from(case.side, _cross(weights, tokenizer, case.scratch / part.value)))


def _whole(case: _Case, part: Part) -> Swap:
    if case.head.sha256 == case.base.sha256:
        return Swap(part=part, untried=Untried.SAME)
    return _judge_part(part, case, _serve_from(case.side, case.base.path))


def _engine_swap(case: _Case) -> Swap:
    """The base's engine is not here, but the reference engine is: it tells whether the head's engine did it."""
    reference = reference_engine(case.head.kind)
    if reference is None:
        return Swap(part=Part.ENGINE, untried=Untried.NO_REFERENCE)
    if case.side.task.engine == reference.name:
        return Swap(part=Part.ENGINE, untried=Untried.IS_REFERENCE, detail=reference.name)
    side = replace(case.side, task=case.side.task.model_copy(update={"engine": reference.name, "engine_spec": None}))
    return _judge_part(Part.ENGINE, case, side)


def _serve_from(side: Side, classifier: Path) -> Side:
    return replace(side, task=side.task.model_copy(update={"classifier": classifier.resolve()}))


def _judge_part(part: Part, case: _Case, side: Side) -> Swap:
    try:
        with SpeedWorker(side, case.log) as worker:
            answer = worker.ask({"answers": True})
    except BenchError as error:
        return Swap(part=part, untried=Untried.DOES_NOT_RUN, detail=str(error))
    return Swap(part=part, judgement=_judge(case, np.array(answer["ids"]), np.array(answer["labels"])))


def _judge(case: _Case, ids: np.ndarray, labels: np.ndarray) -> Judgement:
    """One classifier against another on the items both answered: no luck of a training is in it."""
    _, old, new = np.intersect1d(case.answers.ids, ids, assume_unique=True, return_indices=True)
    answers = case.answers
    sides = Sides(answers.labels[old], [answers.predictions[old]], [labels[new]], case.class_count)
    return judge(sides, case.margin)


def _tokenizer(classifier: Classifier) -> tuple[str, int | None] | None:
    """What decides the token ids: the file and the length it is cut to."""
    digest = classifier.manifest.files.get(TOKENIZER)
    return None if digest is None else (digest, classifier.manifest.max_length)


def _weights(classifier: Classifier) -> dict[str, str]:
    return {name: digest for name, digest in classifier.manifest.files.items() if name != TOKENIZER}


def _cross(weights: Classifier, tokenizer: Classifier, folder: Path) -> Path:
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
