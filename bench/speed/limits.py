"""Measures what this machine can do at most: a large matrix product at a precision, and memory bandwidth; cached."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.files.cache import write_whole
from bench.machine.environment import hardware_fingerprint, package_versions
from bench.results.speed_records import MachineLimits

SIZE = 2048
GPU_SIZE = 8192
COPIED_BYTES = 2**28  # far more than the last cache holds
MEASURE_S = 0.5
LEAST_ROUNDS = 3


def machine_limits(
    device: str, threads: int, precision: str, cache: Path, reached_flops_per_s: float = 0.0
) -> MachineLimits:
    """Measured once for this machine, device, threads, precision and library versions: about half a second a library.

    The caller has set the threads. Of several libraries the fastest counts, of several rounds the best: it is a limit.
    A limit that a classifier has gone beyond was measured on a busy machine: it is measured again, the higher is kept.
    """
    versions = package_versions()
    names = [f"{name} {versions[name]}" for name in ("torch", "onnxruntime")]
    key = "\x1f".join([hardware_fingerprint(), device, str(threads), precision, *names])
    path = cache / "limits" / f"{sha256(key.encode()).hexdigest()[:16]}.json"
    known = _read(path)
    if known is not None and known.matmul_flops_per_s >= reached_flops_per_s:
        return known
    limits = _higher(measure_limits(device, threads, precision), known)
    write_whole(path, limits.model_dump_json(indent=1).encode("utf-8"))
    return limits


def _read(path: Path) -> MachineLimits | None:
    try:
        return MachineLimits.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _higher(new: MachineLimits, known: MachineLimits | None) -> MachineLimits:
    if known is None:
        return new
    faster = max(new, known, key=lambda limits: limits.matmul_flops_per_s)
    memory = max(new.memory_bytes_per_s, known.memory_bytes_per_s)
    return faster.model_copy(update={"memory_bytes_per_s": memory})


def measure_limits(device: str, threads: int, precision: str) -> MachineLimits:
    """Measure now: operations/s of a square product (2 n^3 each) and bytes/s of a copy (each byte read and written)."""
    products = _gpu_products(precision) if device == "cuda" else _cpu_products(precision)
    size = GPU_SIZE if device == "cuda" else SIZE
    rates = {name: 2 * size**3 / _best_s(multiply) for name, multiply in products}
    library = max(rates, key=lambda name: rates[name])
    return MachineLimits(
        device=device,
        threads=threads,
        precision=precision,
        matmul_flops_per_s=rates[library],
        matmul_library=library,
        memory_bytes_per_s=2 * COPIED_BYTES / _best_s(_copy(device)),
    )


def _best_s(call: Callable[[], Any]) -> float:
    """Seconds of the fastest of the calls that fit into half a second, after one that nobody counts."""
    call()
    times: list[float] = []
    until = time.perf_counter() + MEASURE_S
    while len(times) < LEAST_ROUNDS or time.perf_counter() < until:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def _cpu_products(precision: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    import torch

    if precision != "int8":
        dtype = _dtype(precision)
        left, right = (torch.rand(SIZE, SIZE).to(dtype) for _ in range(2))
        yield "torch", lambda: torch.mm(left, right)
    if precision in ("fp32", "int8"):
        yield "onnxruntime", _onnx_product(precision, torch.get_num_threads())


def _onnx_product(precision: str, threads: int) -> Callable[[], Any]:
    """ONNX Runtime's product with constant weights, packed once; for int8, uint8 with int8 weights."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    left: np.ndarray
    weights: np.ndarray
    if precision == "int8":
        left = generator.integers(0, 255, (SIZE, SIZE), dtype=np.uint8)
        weights = generator.integers(-127, 127, (SIZE, SIZE), dtype=np.int8)
        operator, taken, given = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
    else:
        left, weights = (generator.random((SIZE, SIZE), dtype=np.float32) for _ in range(2))
        operator, taken, given = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "weights"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", taken, [SIZE, SIZE])],
        [helper.make_tensor_value_info("product", given, [SIZE, SIZE])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"left": left})


def _gpu_products(precision: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    import torch

    def synchronised(multiply: Callable[..., Any], *matrices: Any) -> Callable[[], None]:
        def call() -> None:
            multiply(*matrices)
            torch.cuda.synchronize()

        return call

    shape = (GPU_SIZE, GPU_SIZE)
    if precision == "int8":
        whole = [torch.randint(-127, 127, shape, dtype=torch.int8, device="cuda") for _ in range(2)]
        yield "torch", synchronised(torch._int_mm, whole[0], whole[1].t())
        return
    yield (
        "torch",
        synchronised(torch.mm, *(torch.rand(shape, dtype=_dtype(precision), device="cuda") for _ in range(2))),
    )


def _dtype(precision: str) -> Any:
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)


def _copy(device: str) -> Callable[[], Any]:
    import torch

    source = torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=device)
    target = torch.ones_like(source)

    def call() -> None:
        target.copy_(source)
        if device == "cuda":
            torch.cuda.synchronize()

    return call
