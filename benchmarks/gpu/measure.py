"""BERT-base, Qwen3-0.6B and MiniLM on a GPU, in one command, without a network, within a time limit.

    python3 benchmarks/gpu/measure.py --kit .gpu --out OUT [--seconds 540]

Every part is a `bench run` of its own, the most wanted first; what does not fit into the time is left out and named.
The table is written again after every part. OUT receives table.md, results.tar.gz (the run folders) and measure.log.
--device cpu --tiny runs the same parts with small architectures and few texts: a check, no measurement.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ("-c", "from bench.cli.main import main; main()")
TINY_BENCH = (str(Path(__file__).with_name("tiny_bench.py")),)
TINY_TEXTS = 24
TITLE = "Text classifiers on a GPU"
TINY_TITLE = "A check of the script with shrunk architectures: no figure below means anything"
CELL_LIMIT_S = 100
LAST_S = 15  # for the table and the archive
NOT_KEPT = {"logs", "loadgen", "texts"}  # large, or of no use without the machine


@dataclass(frozen=True)
class Part:
    """One `bench run`: parts with the same folder share their classifier and its reference answers.

    least_s: what is left of the time must be at least this, or the part is left out.
    """

    folder: str
    engines: tuple[str, ...]
    least_s: float

    @property
    def arguments(self) -> list[str]:
        if self.folder == "minilm":
            return ["--methods", "full-finetune", "--models", "small"]
        return ["--weights", "random", "--methods", self.folder]


# the parts that answer the targets first; a cell that fails or hangs costs its own row and at most CELL_LIMIT_S
PARTS = (
    Part("qwen3-0.6b", ("eager", "unpadded-bf16", "unpadded-compile-bf16"), 50),
    Part("bert-base-uncased", ("eager", "unpadded-bf16", "unpadded-compile-bf16"), 50),
    Part("minilm", ("eager", "unpadded-bf16", "unpadded-compile-bf16"), 60),
    Part("qwen3-0.6b-options", ("eager", "unpadded-bf16", "unpadded-compile-bf16"), 60),
    Part("bert-base-uncased", ("eager-bf16", "compile-bf16", "onnx-fp16"), 50),
    Part("qwen3-0.6b", ("eager-bf16", "compile-bf16"), 60),
    Part("qwen3-0.6b-options", ("eager-bf16",), 30),
    Part("minilm", ("eager-bf16", "compile-bf16", "onnx-fp16"), 50),
)


def main() -> None:
    arguments = _parser().parse_args()
    until = time.monotonic() + arguments.seconds
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        environment = prepare(arguments.kit, work)
        notes = []
        for part in chosen_parts(arguments.only, arguments.engines):
            note = run_part(part, arguments, work, environment, until - LAST_S)
            notes += [note] if note else []
            render(work, out, environment, TINY_TITLE if arguments.tiny else TITLE, notes)
        pack_results(work, out)
    print((out / "table.md").read_text(encoding="utf-8"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kit", type=Path, default=ROOT / ".gpu", help="what benchmarks/gpu/prepare.py made")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=540, help="for everything; default 540")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small architectures, few texts: a check")
    parser.add_argument("--engines", nargs="+", help="these engines only")
    parser.add_argument("--only", nargs="+", choices=sorted({part.folder for part in PARTS}), help="these models only")
    return parser


def chosen_parts(folders: list[str] | None, engines: list[str] | None) -> list[Part]:
    """The parts in their order; of each what was asked for."""
    chosen = []
    for part in PARTS:
        wanted = tuple(engine for engine in part.engines if engines is None or engine in engines)
        if wanted and (folders is None or part.folder in folders):
            chosen.append(replace(part, engines=wanted))
    return chosen


def prepare(kit: Path, work: Path) -> dict[str, str]:
    """The environment of every part: the checkout and the kit's wheels on the path, a copy of its cache to write to."""
    if not (kit / "cache.zip").is_file():
        sys.exit(f"{kit} holds no kit; make it where there is a network: python benchmarks/gpu/prepare.py --kit {kit}")
    paths = [str(ROOT)]
    wheels = sorted(map(str, (kit / "wheels").glob("*.whl")))
    if wheels and not all(map(find_spec, ("pydantic", "mlperf_loadgen"))):
        site = work / "site"
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
        subprocess.run([*install, "--target", str(site), *wheels], check=True)
        paths.append(str(site))
    cache = work / "cache"
    shutil.unpack_archive(kit / "cache.zip", cache)
    given = os.environ.get("PYTHONPATH")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*paths, *([given] if given else [])]),
        "BENCH_CACHE": str(cache),
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "120",
    }
    environment.pop("BENCH_DATA", None)
    if (kit / "data").is_dir():
        environment["BENCH_DATA"] = str((kit / "data").resolve())
    return environment


def run_part(part: Part, arguments: argparse.Namespace, work: Path, environment: dict[str, str], until: float) -> str:
    """Run it within the time that is left; returns what is to be said of a part that did not end well."""
    name = f"{part.folder}: {', '.join(part.engines)}"
    left = until - time.monotonic()
    if left < part.least_s and not arguments.tiny:
        return f"{name}: left out, {left:.0f} s were left"
    measured = ["--limit", str(TINY_TEXTS), "--tier", "sample"] if arguments.tiny else ["--tier", "brief"]
    command = [sys.executable, *(TINY_BENCH if arguments.tiny else BENCH), "run", "--suite", "agnews", *part.arguments]
    command += ["--backends", ",".join(part.engines), "--scenario", "single,offline", "--device", arguments.device]
    command += [*measured, "--cell-limit", str(CELL_LIMIT_S), "--out", str(work / "runs" / part.folder), "--quiet"]
    started = time.monotonic()
    with (arguments.out / "measure.log").open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        log.flush()
        process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            code = process.wait(timeout=max(left, 1))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"{name}: stopped when the time was over"
    print(f"{time.monotonic() - started:6.1f} s  {name}: exit code {code}", flush=True)
    return "" if code == 0 else f"{name}: `bench run` ended with exit code {code}, see measure.log"


def render(work: Path, out: Path, environment: dict[str, str], title: str, notes: list[str]) -> None:
    """The table of what there is so far, in a process that finds the packages of the kit."""
    script = Path(__file__).with_name("gpu_table.py")
    command = [sys.executable, str(script), str(work / "runs"), str(out / "table.md"), title, *notes]
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL)


def pack_results(work: Path, out: Path) -> None:
    """The run folders, as `bench report` and `bench merge` read them."""
    with tarfile.open(out / "results.tar.gz", "w:gz") as archive:
        for run in sorted((work / "runs").glob("*")):
            for part in sorted(run.iterdir()):
                if part.name not in NOT_KEPT:
                    archive.add(part, arcname=f"{run.name}/{part.name}")


if __name__ == "__main__":
    main()
