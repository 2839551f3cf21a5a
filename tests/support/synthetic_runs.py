"""Stored runs written by hand for the report tests; run this file to write the golden files anew.

Every figure here is invented: round enough to be recognised in a table, different enough to be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from synthetic_load import load_summary, with_shares

from bench.quality.parity import items_to_judge, most_changed
from bench.quality.scores import measure_quality
from bench.results.certificates import Parity
from bench.results.records import Answers, Cell, Result, RunSettings, SessionCard, Status, StoredRun
from bench.results.speed_records import MachineLimits, Work
from bench.types import CurvePoint, DataCard, FitRecord, Prediction, Source, SplitSizes

GOLDEN = Path(__file__).parents[1] / "reports" / "golden"

ENVIRONMENT = {
    "harness": "0.1.0",
    "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": True},
    "python": "3.11.9",
    "packages": {"torch": "2.13.0+cpu", "transformers": "5.19.0", "onnxruntime": "1.23.2", "onnxruntime-gpu": None},
    "cpu": {"model": "Example CPU @ 2.00GHz", "cores": 2, "features": ["avx512_bf16", "amx_bf16"]},
    "memory_bytes": 8_000_000_000,
    "gpus": [],
    "foreign_gpu_processes": None,
    "hardware_sha256": "feedface" * 8,
}


@dataclass(frozen=True)
class Engine:
    """An engine of the invented machine: how much faster than eager it is, and how many labels it flips."""

    name: str
    precision: str
    speedup: float
    flips: float
    required: float


EAGER = Engine("eager", "fp32", 1.0, 0.0, 0.999)
BF16 = Engine("eager-bf16", "bf16", 1.8, 0.002, 0.995)
ONNX = Engine("onnx", "fp32", 2.5, 0.0, 0.999)
INT8 = Engine("onnx-int8", "int8", 4.0, 0.03, 0.99)
SKLEARN = Engine("sklearn", "fp32", 1.0, 0.0, 0.999)


@dataclass(frozen=True)
class Method:
    """A classifier of the invented run: its accuracy, its rate on the reference engine, its training time."""

    recipe: str
    base_model: str | None
    accuracy: float
    rate_rps: float
    fit_s: float
    engines: tuple[Engine, ...]
    items: int | None = None


MINILM = "sentence-transformers/all-MiniLM-L6-v2"
METHODS = (
    Method("tfidf", None, 0.88, 5200, 1.4, (SKLEARN,)),
    Method("full-finetune", MINILM, 0.92, 95, 210, (EAGER, BF16, ONNX, INT8)),
    Method("lora", MINILM, 0.918, 94, 160, (EAGER, ONNX)),
    Method("zero-shot", "HuggingFaceTB/SmolLM2-135M", 0.32, 6.2, 0.0, (EAGER,), items=400),
)


def data_card(task: str = "agnews", test: int = 2000, **changes: object) -> DataCard:
    """AG News from the hub, a subset of both splits."""
    card = DataCard(
        task=task,
        title="AG News",
        language="en",
        class_names=("World", "Sports", "Business", "Sci/Tech"),
        source=Source(
            kind="hub", name="fancyzhx/ag_news", revision="eb185aade064a813", licence="unknown, research use"
        ),
        sizes=SplitSizes(train=4000, validation=400, test=test),
        full_sizes=SplitSizes(train=114_000, validation=6000, test=7600),
        fingerprint="c0ffee" * 10 + "c0ff",
    )
    return card.model_copy(update=changes)


def settings(**changes: object) -> RunSettings:
    base = RunSettings(
        tasks=("agnews",),
        models="small",
        tier="quick",
        scenarios=("single", "offline"),
        engines=("eager", "eager-bf16", "onnx", "onnx-int8", "sklearn"),
        recipes=tuple(method.recipe for method in METHODS),
        seeds=1,
        limit=None,
        device="cpu",
        threads=2,
    )
    return base.model_copy(update=changes)


def answers_of(labels: np.ndarray, k: int, accuracy: float, seed: int) -> Answers:
    """Answers with exactly this share right; the others are the next class."""
    n = len(labels)
    wrong = np.random.default_rng(seed).permutation(n)[: round(n * (1 - accuracy))]
    predicted = labels.copy()
    predicted[wrong] = (predicted[wrong] + 1) % k
    return Answers(np.arange(n), labels, prediction_of(predicted, k))


def prediction_of(predicted: np.ndarray, k: int) -> Prediction:
    n = len(predicted)
    probabilities = np.full((n, k), 0.1 / max(k - 1, 1), dtype=np.float32)
    probabilities[np.arange(n), predicted] = 0.9
    return Prediction(probabilities, predicted, np.full(n, 40, np.int32), np.zeros(n, bool))


def flipped(answers: Answers, share: float, seed: int) -> Answers:
    """The answers of an engine that gives another label on this share of the items."""
    k = answers.prediction.probabilities.shape[1]
    n = len(answers.ids)
    rows = np.random.default_rng(seed).permutation(n)[: round(n * share)]
    predicted = answers.prediction.labels.copy()
    predicted[rows] = (predicted[rows] + 1) % k
    return replace(answers, prediction=prediction_of(predicted, k))


def work_record(method: Method, engine: Engine) -> Work | None:
    """A small encoder's; a bag of words has none."""
    if method.base_model is None:
        return None
    rate = {"fp32": 200e9, "bf16": 800e9, "int8": 1000e9}[engine.precision]
    limits = MachineLimits(
        device="cpu",
        threads=2,
        precision=engine.precision,
        matmul_flops_per_s=rate,
        matmul_library="onnxruntime" if engine.precision == "int8" else "torch",
        memory_bytes_per_s=20e9,
    )
    return Work(flops_per_text=0.45e9, weight_bytes=42_500_000, limits=limits)


def fit_record(method: Method) -> FitRecord:
    if method.fit_s == 0:
        return FitRecord(fit_s=0.0, total_parameters=134_515_008)
    curve = tuple(
        CurvePoint(
            step=step,
            epoch=step / 100,
            training_loss=1.2 / step if step > 50 else None,
            validation_loss=0.4,
            accuracy=method.accuracy - 0.1 / step,
            precision=method.accuracy,
            recall=method.accuracy,
            f1=method.accuracy - 0.11 / step,
        )
        for step in (50, 100, 150)
    )
    trained = method.base_model is not None
    return FitRecord(
        fit_s=method.fit_s,
        tokenise_s=0.4,
        evaluate_s=3.1,
        steps=150,
        chosen_step=100,
        epochs=1.5 if trained else None,
        examples=4000,
        trainable_parameters=22_714_756,
        total_parameters=22_714_756,
        peak_bytes=1_250_000_000,
        precision="fp32",
        curve=curve if trained else (),
    )


def parity_record(engine: Engine, n: int) -> Parity:
    reference = "sklearn" if engine is SKLEARN else "eager"
    return Parity(
        reference=reference,
        items=n,
        same_tokens=True,
        equal_labels=1 - engine.flips,
        required=engine.required,
        largest_probability_difference=engine.flips * 10,
        mcnemar_p=1.0,
        passed=1 - engine.flips >= engine.required,
        flips=(),
        changed_at_most=most_changed(round(engine.flips * n), n),
        items_to_judge=items_to_judge(engine.required),
    )


def result_of(card: DataCard, method: Method, engine: Engine, answers: Answers, seed: int = 0) -> Result:
    n = len(answers.ids)
    cell_id = f"{card.task}.{method.recipe}.s{seed}.{engine.name}"
    cell = Cell(
        id=cell_id,
        task=card.task,
        recipe=method.recipe,
        method=method.recipe,
        base_model=method.base_model,
        seed=seed,
        engine=engine.name,
        precision=engine.precision,
    )
    rate = method.rate_rps * engine.speedup
    work = work_record(method, engine)
    return Result(
        cell=cell,
        status=Status.OK,
        data=card,
        fit=fit_record(method),
        classifier_sha256=f"{method.recipe}-{seed}",
        classifier_kind="sequence",
        base_origin=method.base_model and "packaged weights",
        session=SessionCard(
            load_s=0.9,
            convert_s=4.2 if engine.name.startswith("onnx") else 0.0,
            device="cpu",
            precision=engine.precision,
            threads=2,
            artifact_bytes=round(91e6 / (4 if engine.precision == "int8" else 1)),
            peak_rss_bytes=780_000_000,
            peak_device_bytes=None,
        ),
        quality=measure_quality(answers, card.class_names),
        load={
            "single": with_shares(load_summary("single", (rate,)), work),
            "offline": with_shares(load_summary("offline", (rate * 3,)), work),
        },
        parity=parity_record(engine, n),
        predictions_file=f"predictions/{cell_id}.parquet",
        predict_s=n / (rate * 3),
        test_items=n,
        work=work,
    )


def without_figures(card: DataCard, recipe: str, status: Status, reason: str, **cell: object) -> Result:
    """A row that has only its reason."""
    fields = {"base_model": None, "engine": None, "precision": None, **cell}
    cell_id = f"{card.task}.{recipe}.{fields['engine']}.{status}"
    return Result(
        cell=Cell(id=cell_id, task=card.task, recipe=recipe, method=recipe, seed=0, **fields),
        status=status,
        reason=reason,
        data=card,
    )


def task_results(
    card: DataCard, methods: tuple[Method, ...], seeds: int = 1
) -> tuple[list[Result], dict[str, Answers]]:
    """Every engine of every method; the engines of one classifier differ only by their flips."""
    k = len(card.class_names)
    labels = np.random.default_rng(0).integers(0, k, card.sizes.test)
    results, answers = [], {}
    for number, method in enumerate(methods):
        for seed in range(seeds):
            own = answers_of(labels[: method.items], k, method.accuracy + 0.002 * seed, 10 * number + seed)
            for engine in method.engines:
                given = flipped(own, engine.flips, 99)
                result = result_of(card, method, engine, given, seed)
                results.append(result)
                answers[result.cell.id] = given
    return results, answers


def stored_run(results: list[Result], answers: dict[str, Answers], **changes: object) -> StoredRun:
    chosen = settings(cells=tuple(result.cell.id for result in results), **changes)
    return StoredRun(Path("runs/synthetic"), chosen, ENVIRONMENT, tuple(results), answers)


def full_run() -> StoredRun:
    """A subset of AG News and rows of every fate: invalid, unstable, skipped, out of memory, over time."""
    card = data_card()
    results, answers = task_results(card, METHODS)
    by_id = {result.cell.id: result for result in results}
    invalid = by_id["agnews.zero-shot.s0.eager"]
    results[results.index(invalid)] = invalid.model_copy(
        update={
            "status": Status.INVALID,
            "reason": "single: INVALID: only 10 queries in 3 s",
            "load": {**invalid.load, "single": load_summary("single", (6.2,), valid=False)},
        }
    )
    results += [
        without_figures(
            card,
            "lora",
            Status.SKIPPED,
            "bf16 needs avx512_bf16",
            base_model=MINILM,
            engine="eager-bf16",
            precision="bf16",
        ),
        without_figures(card, "qwen3-head", Status.SKIPPED, "Qwen/Qwen3-0.6B: the hub cannot be reached"),
        without_figures(card, "textcnn", Status.OOM, "training: killed by the system | SIGKILL\nwhen memory ran out"),
    ]
    return stored_run(results, answers, price_per_hour=1.2)


def sample_run() -> StoredRun:
    """The built-in Chinese sample, whole, several runs and several seeds, one engine unstable."""
    card = data_card(
        "weibo",
        test=120,
        title="Weibo sentiment",
        language="zh",
        class_names=("负面", "正面"),
        source=Source(
            kind="sample", name="bench/data/samples/weibo.tsv", licence="Apache-2.0", note="written by this project"
        ),
        sizes=SplitSizes(train=400, validation=80, test=120),
        full_sizes=SplitSizes(train=400, validation=80, test=120),
    )
    methods = (
        Method("tfidf", None, 0.80, 5200, 1.4, (SKLEARN,)),
        Method("full-finetune", "intfloat/multilingual-e5-small", 0.95, 60, 90, (EAGER, ONNX)),
    )
    results, answers = task_results(card, methods, seeds=3)
    steady = [
        result.model_copy(
            update={
                "load": {
                    name: load_summary(
                        summary.scenario, tuple(summary.rate_rps * factor for factor in (0.97, 1.0, 1.04)), "standard"
                    )
                    for name, summary in result.load.items()
                }
            }
        )
        for result in results
    ]
    steady[-1] = steady[-1].model_copy(
        update={"status": Status.UNSTABLE, "reason": "offline: the runs' rates differ by 31% of their median"}
    )
    return stored_run(steady, answers, tasks=("weibo",), tier="standard", seeds=3)


def golden_runs() -> dict[str, StoredRun]:
    """The runs whose leaderboards are kept, by the name of their golden file."""
    from synthetic_automation import automation_run  # all build on this file
    from synthetic_published import published_runs
    from synthetic_server import server_run
    from synthetic_study import study_run

    return {
        "full": full_run(),
        "sample": sample_run(),
        "study": study_run(),
        "server": server_run(),
        "automation": automation_run(),
        **published_runs(),
    }


def write_golden_files() -> None:
    """Write tests/reports/golden/*.md from what the report prints now: look at the difference before you keep it."""
    from reports.leaderboard import render_leaderboard

    GOLDEN.mkdir(exist_ok=True)
    for name, run in golden_runs().items():
        (GOLDEN / f"{name}.md").write_text(render_leaderboard(run).markdown, encoding="utf-8")


if __name__ == "__main__":
    write_golden_files()
