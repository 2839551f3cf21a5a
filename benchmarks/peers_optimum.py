"""One measurement by optimum-benchmark, run by the Python of an environment that has it; JSON in, JSON out.

    PYTHON benchmarks/peers_optimum.py '{"engine": "onnx", "model": "DIR", "threads": 2, "batch": 32, "tokens": 54}'

Its workload is one batch of random token ids of one length, asked again and again: nothing is tokenised or padded. It
reads no text; the length is the caller's. What it prints last is the rate in texts/s, or the reason there is none.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from typing import Any

SECONDS = 3
WARMUP_RUNS = 5
INT8 = {"is_static": False, "per_channel": True}


def know_onnx_tasks() -> None:
    """optimum 2 dropped the table in which optimum-benchmark 0.6.0 looks for ONNX Runtime's model classes."""
    import optimum.pipelines
    from optimum.onnxruntime import ORTModelForSequenceClassification

    optimum.pipelines.ORT_SUPPORTED_TASKS = {"text-classification": {"class": (ORTModelForSequenceClassification,)}}


def backend(engine: str, model: str, threads: int) -> Any:
    """The configuration of the backend that stands for our engine of that name."""
    from optimum_benchmark import ORTConfig, OVConfig, PyTorchConfig, VLLMConfig

    common = {"model": model, "task": "text-classification", "library": "transformers", "model_type": "bert"}
    pool = {"inter_op_num_threads": threads, "intra_op_num_threads": threads}
    if engine == "eager":
        return PyTorchConfig(device="cpu", **common, **pool)
    if engine == "compile":
        options = {"dynamic": True, "options": {"freezing": True}}
        return PyTorchConfig(device="cpu", torch_compile=True, torch_compile_config=options, **common, **pool)
    if engine.startswith("openvino"):
        precision = "bf16" if engine == "openvino-bf16" else "f32"
        options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision}
        options |= {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
        return OVConfig(device="cpu", export=True, ov_config=options, **common)
    if engine == "vllm":
        return VLLMConfig(device="cpu", **common)
    know_onnx_tasks()
    options = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
    quantised = {"auto_quantization": "avx512_vnni", "auto_quantization_config": INT8} if engine == "onnx-int8" else {}
    return ORTConfig(device="cpu", export=True, session_options=options, **quantised, **common)


def measure(engine: str, model: str, threads: int, batch: int, tokens: int) -> float:
    """Texts a second of batches of `batch` rows of `tokens` token ids each."""
    from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, InlineConfig

    scenario = InferenceConfig(
        latency=True,
        memory=False,
        duration=SECONDS,
        warmup_runs=WARMUP_RUNS,
        input_shapes={"batch_size": batch, "sequence_length": tokens},
    )
    config = BenchmarkConfig(
        name="peers", launcher=InlineConfig(), backend=backend(engine, model, threads), scenario=scenario
    )
    return float(Benchmark.launch(config).forward.throughput.value)


def main() -> None:
    asked = json.loads(sys.argv[1])
    os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS=str(asked["threads"]))
    said = sys.stdout
    sys.stdout = sys.stderr
    answer: dict[str, Any] = {name: version(name) for name in ("optimum-benchmark", "transformers", "torch")}
    try:
        answer["rate_rps"] = measure(**asked)
    except Exception as error:
        answer["reason"] = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    said.write(f"\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
