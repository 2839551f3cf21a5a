"""Names all implementations and reaches them: imported on use, never before."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal, overload

from bench.errors import BenchError, unknown_name

if TYPE_CHECKING:
    from bench.types import Backend, Trainer

TRAINERS = {
    "tfidf": "trainers.tfidf:TfidfTrainer",
    "network": "trainers.network:NetworkTrainer",
    "frozen-head": "trainers.frozen_head:FrozenHeadTrainer",
    "contrastive": "trainers.contrastive:ContrastiveTrainer",
    "full-finetune": "trainers.full_finetune:FullFinetuneTrainer",
    "static": "trainers.static:StaticTrainer",
    "library-trainer": "trainers.library_trainer:LibraryTrainer",
    "own-head": "trainers.own_head:OwnHeadTrainer",
    "lora": "trainers.lora:LoraTrainer",
    "adapter": "trainers.adapters:BottleneckTrainer",
    "prompt-tuning": "trainers.adapters:PromptTuningTrainer",
    "p-tuning": "trainers.adapters:PTuningTrainer",
    "prefix-tuning": "trainers.adapters:PrefixTuningTrainer",
    "ready-made": "trainers.ready_made:ReadyMadeTrainer",
    "random-weights": "trainers.random_weights:RandomWeightsTrainer",
    "zero-shot": "trainers.zero_shot:ZeroShotTrainer",
    "generate": "trainers.generate:GenerateTrainer",
    "sft": "trainers.sft:SftTrainer",
    "similarity": "trainers.matching:SimilarityTrainer",
    "pairs": "trainers.matching:PairsTrainer",
    "gliclass": "trainers.matching:GliclassTrainer",
    "served": "trainers.served:ServedTrainer",
}

BACKENDS = {
    "eager": "backends.eager:EagerBackend",
    "compile": "backends.torch_compile:CompileBackend",
    "ctranslate2": "backends.ctranslate2.engine:Ctranslate2Backend",
    "endpoint": "backends.endpoint.engine:EndpointBackend",
    "onnx": "backends.onnx.engine:OnnxBackend",
    "openvino": "backends.openvino.engine:OpenvinoBackend",
    "packed": "backends.packed.engine:PackedBackend",
    "pipeline": "backends.pipeline:PipelineBackend",
    "tensorrt": "backends.onnx.tensorrt:TensorrtBackend",
    "sklearn": "backends.sklearn_linear:SklearnBackend",
    "unpadded": "backends.unpadded.engine:UnpaddedBackend",
    "faulty": "bench.selftest.faults:FaultyBackend",
    "vllm": "backends.vllm.engine:VllmBackend",
}

REPORTS = {
    "leaderboard": "reports.leaderboard:render_leaderboard",
    "check": "reports.pages.check:CheckPage",
    "benchmarks": "reports.pages.benchmarks:BenchmarkPage",
    "attribution": "reports.pages.attribution:AttributionPage",
    "selftest": "reports.pages.selftest:SelfTestPage",
    "advise": "reports.advice.advice:advise",
    "advice": "reports.advice.page:AdvicePage",
    "trends": "reports.content.trends:history_of",
    "trend": "reports.pages.trend:TrendPage",
    "rows": "reports.export.flat_rows:flat_rows",
    "model-index": "reports.export.model_cards:model_cards",
    "mlflow": "reports.export.tracking:log_to_mlflow",
    "tensorboard": "reports.export.tracking:log_to_tensorboard",
}

Group = Literal["trainer", "backend", "report"]

_GROUPS: dict[Group, tuple[str, dict[str, str]]] = {
    "trainer": ("bench.trainers", TRAINERS),
    "backend": ("bench.backends", BACKENDS),
    "report": ("bench.reports", REPORTS),
}


def names(what: Group) -> list[str]:
    """Every registered name of a group ("trainer", "backend", "report"), other packages' included."""
    group, built_in = _GROUPS[what]
    return sorted({*built_in, *(point.name for point in entry_points(group=group))})


def module_of(what: Group, name: str) -> str:
    """The dotted name of the module that holds an implementation; raises UsageError like `find`."""
    group, built_in = _GROUPS[what]
    if name in built_in:
        return built_in[name].partition(":")[0]
    for point in entry_points(group=group):
        if point.name == name:
            return point.module
    raise unknown_name(what, name, names(what))


@overload
def find(what: Literal["trainer"], name: str) -> type[Trainer]: ...


@overload
def find(what: Literal["backend"], name: str) -> type[Backend]: ...


@overload
def find(what: Literal["report"], name: str) -> Callable[..., Any]: ...


def find(what: Group, name: str) -> Any:
    """The implementation behind a name; raises UsageError with the nearest names when there is none."""
    group, built_in = _GROUPS[what]
    if name in built_in:
        module, _, attribute = built_in[name].partition(":")
        return getattr(import_module(module), attribute)
    for point in entry_points(group=group):
        if point.name == name:
            try:
                return point.load()
            except ImportError as error:
                raise BenchError(f"{what} '{name}' of package {point.dist} cannot be imported: {error}") from error
    raise unknown_name(what, name, names(what))
