"""A run folder of any size with invented figures, for measuring and testing the reports: nothing here was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.quality.parity import certify
from bench.quality.scores import measure_quality
from bench.results.evidence import store_texts
from bench.results.records import Answers, Cell, Result, RunSettings, SessionCard, Status
from bench.results.speed_records import LoadRun, LoadSummary, Stages
from bench.results.store import (
    ENVIRONMENT,
    SETTINGS,
    answers_path,
    result_path,
    write_answers,
    write_json,
    write_latencies,
    write_record,
)
from bench.types import (
    CurvePoint,
    Dataset,
    FitRecord,
    Precision,
    Prediction,
    Prompt,
    Scenario,
    Source,
    Split,
    SplitSizes,
)

CLASSES = ("World", "Sports", "Business", "Sci/Tech")
ENGINES: tuple[tuple[str, Precision, float, float], ...] = (  # name, precision, speedup, share of flipped labels
    ("eager", "fp32", 1.0, 0.0),
    ("packed-bf16", "bf16", 2.3, 0.001),
    ("onnx", "fp32", 2.0, 0.0),
    ("onnx-int8", "int8", 3.4, 0.005),
    ("onnx-int4", "int8", 5.1, 0.03),
)
WORDS = (  # noqa: SIM905 - one word a line would be half the file
    "oil prices stocks market coach season striker final minister talks border election satellite software chip search "
    "engine quarterly profit shares court ruling storm launch orbit browser patch league champion transfer deal union"
).split()


@dataclass(frozen=True)
class Size:
    """How much to invent: classifiers times engines are the cells."""

    classifiers: int = 100
    items: int = 7600
    curve_points: int = 20
    queries: int = 1000


def write_run(folder: Path, size: Size, texts: Sequence[str] = (), title: str = "AG News (invented figures)") -> None:
    """Write a whole run folder; `texts` stand first among the test texts, the hardest of all."""
    rng = np.random.default_rng(0)
    data = _dataset(size.items, tuple(texts), title, rng)
    ease = np.concatenate([np.full(len(texts), -9.0), rng.normal(2.6, 1.6, size.items - len(texts))])
    store_texts(folder, data)
    results = [row for number in range(size.classifiers) for row in _classifier(folder, size, data, ease, number)]
    write_json(folder / ENVIRONMENT, _environment())
    write_record(folder / SETTINGS, _settings(results))


def _dataset(items: int, texts: tuple[str, ...], title: str, rng: np.random.Generator) -> Dataset:
    made = tuple(" ".join(rng.choice(WORDS, rng.integers(12, 60))) for _ in range(items - len(texts)))
    labels = rng.integers(0, len(CLASSES), items)
    none = Split((), np.empty(0, np.int64), np.empty(0, np.int64))
    return Dataset(
        name="agnews",
        title=title,
        language="en",
        class_names=CLASSES,
        train=none,
        validation=none,
        test=Split(texts + made, labels, np.arange(items)),
        full_sizes=SplitSizes(train=0, validation=0, test=items),
        source=Source(kind="local", name="invented", note="invented figures, nothing here was measured"),
        prompt=Prompt(template="{text}", label_words=CLASSES),
    )


def _classifier(folder: Path, size: Size, data: Dataset, ease: np.ndarray, number: int) -> list[Result]:
    """The rows of one classifier; later ones are better, slower, and longer to train."""
    rng = np.random.default_rng(number + 1)
    skill = number / max(1, size.classifiers - 1)
    answers = _answers(data, ease + 1.6 * skill + rng.normal(0, 0.7, len(ease)), rng)
    rate = 2000 * 10 ** (-1.8 * skill) * rng.uniform(0.5, 1.5)
    fit = _fit(size, answers, skill, rng)
    rows = []
    for engine in ENGINES:
        given = answers if engine[3] == 0 else _flipped(answers, engine[3], rng)
        rows.append(_row(folder, size, data, number, engine, (answers, given), rate * engine[2], fit, rng))
    return rows


def _answers(data: Dataset, margin: np.ndarray, rng: np.random.Generator) -> Answers:
    """Softmax over one logit for the truth and noise for the others."""
    labels, n, k = data.test.labels, len(data.test), len(CLASSES)
    logits = rng.normal(0, 0.8, (n, k))
    logits[np.arange(n), labels] += margin
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    prediction = Prediction(
        probabilities, probabilities.argmax(axis=1), rng.integers(20, 90, n).astype(np.int32), rng.random(n) < 0.01
    )
    return Answers(data.test.ids, labels, prediction)


def _flipped(answers: Answers, share: float, rng: np.random.Generator) -> Answers:
    """Another engine's answers: on some items, mostly the close ones, the second best class wins."""
    given = answers.prediction
    top_two = np.sort(given.probabilities, axis=1)[:, -2:]
    closeness = (top_two[:, 1] - top_two[:, 0]) * rng.uniform(0.2, 1, len(given.labels))
    rows = np.argsort(closeness)[: round(share * len(given.labels))]
    probabilities = given.probabilities.copy()
    probabilities[rows, given.labels[rows]] = 0
    probabilities[rows] /= probabilities[rows].sum(axis=1, keepdims=True)
    other = Prediction(probabilities, probabilities.argmax(axis=1), given.token_counts, given.truncated)
    return Answers(answers.ids, answers.labels, other)


def _row(
    folder: Path,
    size: Size,
    data: Dataset,
    number: int,
    engine: tuple[str, Precision, float, float],
    answers: tuple[Answers, Answers],
    rate_rps: float,
    fit: FitRecord,
    rng: np.random.Generator,
) -> Result:
    name, precision, _, _ = engine
    recipe = f"method-{number:03d}"
    cell_id = f"agnews.{recipe}.s0.{name}.{number:06x}"
    cell = Cell(
        id=cell_id,
        task="agnews",
        recipe=recipe,
        method=("full-finetune", "lora", "frozen-head", "network")[number % 4],
        base_model=("sentence-transformers/all-MiniLM-L6-v2", "intfloat/multilingual-e5-small")[number % 2],
        seed=0,
        engine=name,
        precision=precision,
    )
    reference, given = answers
    invalid = number % 25 == 7 and name == "onnx"
    load = {
        scenario: _load(folder, size, cell_id, scenario, rate, not invalid, rng)
        for scenario, rate in (("single", rate_rps), ("offline", 3 * rate_rps))
    }
    result = Result(
        cell=cell,
        status=Status.INVALID if invalid else Status.OK,
        reason="single: INVALID: only 10 queries in 3 s" if invalid else None,
        data=data.card,
        fit=fit,
        classifier_sha256=recipe,
        classifier_kind="sequence",
        base_origin="invented",
        session=SessionCard(
            load_s=0.9,
            convert_s=4.2 if name.startswith("onnx") else 0.0,
            device="cpu",
            precision=precision,
            threads=2,
            artifact_bytes=91_000_000 // (4 if precision == "int8" else 1),
            peak_rss_bytes=int(rng.uniform(5e8, 9e8)),
            peak_device_bytes=None,
        ),
        quality=measure_quality(given, data.class_names),
        load=load,
        parity=certify(reference, given, precision, "eager", same_tokens=True),
        predictions_file=f"predictions/{cell_id}.parquet",
        predict_s=size.items / (3 * rate_rps),
        test_items=size.items,
    )
    write_answers(answers_path(folder, cell_id), given)
    write_record(result_path(folder, cell_id), result)
    return result


def _fit(size: Size, answers: Answers, skill: float, rng: np.random.Generator) -> FitRecord:
    end = float((answers.prediction.labels == answers.labels).mean())
    steps = [50 * (number + 1) for number in range(size.curve_points)]
    scores = [
        end - 0.3 * np.exp(-4 * (number + 1) / size.curve_points) + rng.normal(0, 0.003) for number in range(len(steps))
    ]
    curve = tuple(
        CurvePoint(
            step=step,
            epoch=step / 500,
            training_loss=0.2 + 1.1 * float(np.exp(-step / 200)),
            validation_loss=0.3 + 0.9 * float(np.exp(-step / 250)),
            accuracy=score,
            precision=score,
            recall=score,
            f1=score,
        )
        for step, score in zip(steps, scores, strict=True)
    )
    return FitRecord(
        fit_s=20 + 600 * skill,
        steps=steps[-1],
        chosen_step=steps[int(np.argmax(scores))],
        epochs=steps[-1] / 500,
        examples=16_000,
        trainable_parameters=22_714_756,
        total_parameters=22_714_756,
        peak_bytes=1_250_000_000,
        precision="fp32",
        curve=curve,
    )


def _load(
    folder: Path, size: Size, cell_id: str, scenario: Scenario, rate_rps: float, valid: bool, rng: np.random.Generator
) -> LoadSummary:
    queries = size.queries if scenario == "single" else 1
    latencies_ns = (rng.lognormal(0, 0.3, queries) * 1e9 / rate_rps).astype(np.int64)
    name = f"latencies/{cell_id}.r0.{scenario}.parquet"
    write_latencies(folder / name, latencies_ns)
    enough = {50.0: 1, 90.0: 64, 95.0: 160, 99.0: 662, 99.9: 6636}
    percentiles = {
        f"p{str(at).replace('.0', '').replace('.', '')}_ms": float(np.percentile(latencies_ns, at)) / 1e6
        if scenario == "single" and queries >= needed
        else None
        for at, needed in enough.items()
    }
    run = LoadRun(
        scenario=scenario,
        valid=valid,
        verdict="VALID" if valid else "INVALID: only 10 queries in 3 s",
        queries=queries,
        samples=size.queries,
        duration_s=size.queries / rate_rps,
        rate_rps=rate_rps,
        mean_ms=float(latencies_ns.mean()) / 1e6 if scenario == "single" else None,
        **percentiles,
        tokens_per_s=rate_rps * 47.5,
        stages=Stages(tokenise_s=0.3, queue_s=0.0, forward_s=2.6, post_s=0.1, padding_share=0.04),
        warmup_s=1.5,
        warmup_rounds=4,
        recompiles=None,
        latencies_file=name,
    )
    return LoadSummary(
        scenario=scenario,
        tier="quick",
        valid=valid,
        verdict=run.verdict,
        rate_rps=rate_rps,
        rate_low_rps=rate_rps,
        rate_high_rps=rate_rps,
        **percentiles,
        runs=(run,),
    )


def _settings(results: Sequence[Result]) -> RunSettings:
    return RunSettings(
        tasks=("agnews",),
        models="small",
        tier="quick",
        scenarios=("single", "offline"),
        engines=tuple(name for name, _, _, _ in ENGINES),
        recipes=tuple(dict.fromkeys(row.cell.recipe for row in results)),
        seeds=1,
        limit=None,
        device="cpu",
        threads=2,
        price_per_hour=1.2,
        cells=tuple(row.cell.id for row in results),
    )


def _environment() -> dict[str, object]:
    return {
        "harness": "0.1.0",
        "git": {"commit": None, "dirty": False},
        "python": "3.11",
        "packages": {"torch": "invented"},
        "cpu": {"model": "Invented CPU", "cores": 2, "features": []},
        "memory_bytes": 8_000_000_000,
        "gpus": [],
        "hardware_sha256": "feedface" * 8,
    }
