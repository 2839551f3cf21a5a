"""Writes LoRA beside its base, as vLLM wants it: base and trained head as one folder, the adapter as another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.errors import NotAvailable
from bench.files.cache import whole_folder
from bench.types import Classifier

BASE, ADAPTER = "base", "adapter"


@dataclass(frozen=True)
class LoraFolder:
    """An adapter in peft's file format."""

    path: Path
    rank: int

    def request(self) -> Any:
        """What goes with every prompt that this adapter answers."""
        from vllm.lora.request import LoRARequest

        return LoRARequest("classifier", 1, str(self.path))


def lora_folders(classifier: Classifier, cache: Path) -> tuple[Path, LoraFolder | None]:
    """The folder of a plain classifier; of LoRA beside its base two that are made once and kept in the cache.

    Raises NotAvailable for adapters of another kind, which vLLM does not have.
    """
    settings = classifier.manifest.settings.get("adapter")
    if settings is None:
        return classifier.path, None
    if settings["kind"] != "lora":
        raise NotAvailable(f"vLLM serves LoRA beside its base, no {settings['kind']}; take an eager engine")
    key = json.dumps([classifier.sha256, version("transformers"), version("peft")])
    folder = cache / "vllm" / "lora" / sha256(key.encode("utf-8")).hexdigest()[:32]
    if not folder.exists():
        with whole_folder(folder) as scratch:
            _write(classifier, settings, scratch)
    return folder / BASE, LoraFolder(folder / ADAPTER, settings["r"])


def _write(classifier: Classifier, settings: dict[str, Any], out: Path) -> None:
    from safetensors.torch import save_file

    from bench.classifiers.modules import load_module

    model: Any = load_module(classifier).model
    adapter, base = {}, {}
    for name, weight in model.state_dict().items():
        if ".lora_" in name:
            adapter[f"base_model.model.{name.replace('.default.', '.')}"] = weight.contiguous()
        else:
            base[name.replace(".base_layer.", ".")] = weight.contiguous()
    for folder in (out / BASE, out / ADAPTER):
        folder.mkdir()
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(out / BASE)
    save_file(base, out / BASE / "model.safetensors", metadata={"format": "pt"})
    save_file(adapter, out / ADAPTER / "adapter_model.safetensors", metadata={"format": "pt"})
    described = {
        "peft_type": "LORA",
        "r": settings["r"],
        "lora_alpha": settings["alpha"],
        "target_modules": list(settings["targets"]),
        "bias": "none",
    }
    (out / ADAPTER / "adapter_config.json").write_text(json.dumps(described), encoding="utf-8")
