"""The command `bench` with every published architecture shrunk to two narrow layers, for machines without a GPU.

The fork server of a run imports this module too, so that the shrinking holds in every process.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.cli.main import main
from bench.execution import processes
from bench.models.architectures import load_architectures

SHRUNK = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
SHRUNK_DECODER = {"num_key_value_heads": 2, "head_dim": 16}

for spec in load_architectures().values():
    spec.config.update(SHRUNK)
    if spec.config["model_type"] == "qwen3":
        spec.config.update(SHRUNK_DECODER)

if __name__ == "__main__":
    processes.PRELOADED.append("tiny_bench")
    # a fork server finds modules by this alone, and passes over those that it does not find
    paths = (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    main()
