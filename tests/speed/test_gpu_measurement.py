"""The measurement for lent GPUs, whole: kit, run, table; small and on a CPU, which is all but CUDA itself."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import measure
import pytest

from bench.errors import AssetError, NotAvailable
from bench.models.architectures import load_architectures, prepare_architecture
from bench.models.base import base_weights
from bench.plan.engines import load_engines

SCRIPTS = Path(measure.__file__).parent


def run(script: str, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "BENCH_DATA"}
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment | {"PYTHONPATH": str(SCRIPTS.parents[1])},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_part_names_what_there_is() -> None:
    for part in measure.PARTS:
        assert set(part.engines) <= set(load_engines())
        assert part.folder == "minilm" or part.folder in load_architectures()
    assert sum(part.least_s for part in measure.PARTS) < 540


def test_parts_can_be_chosen() -> None:
    [part] = measure.chosen_parts(["minilm"], ["onnx-fp16"])
    assert (part.folder, part.engines) == ("minilm", ("onnx-fp16",))
    assert measure.chosen_parts(None, None) == list(measure.PARTS)


def test_without_a_kit_it_says_how_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"python benchmarks/gpu/prepare\.py"):
        measure.prepare(tmp_path, tmp_path)


@pytest.mark.slow
def test_from_the_kit_to_the_table(tmp_path: Path) -> None:
    try:
        base_weights("minilm", None)
        prepare_architecture("qwen3-0.6b", None)
    except (AssetError, NotAvailable) as error:
        pytest.skip(str(error))
    kit, out = tmp_path / "kit", tmp_path / "out"
    assert "built-in sample" in run("prepare.py", "--kit", str(kit), "--no-wheels")
    what = ("--only", "qwen3-0.6b", "--engines", "eager", "unpadded-bf16")
    run("measure.py", "--kit", str(kit), "--out", str(out), "--device", "cpu", "--tiny", *what)
    table = (out / "table.md").read_text(encoding="utf-8")
    assert table.startswith("# A check of the script")
    assert "| random-qwen3-0.6b | eager |" in table
    assert "random-qwen3-0.6b, unpadded-bf16" in table or "| random-qwen3-0.6b | unpadded-bf16 |" in table
    assert "random-bert-base-uncased, offline, times the published rate: not measured (wanted: 10.0)" in table
    assert "random-qwen3-0.6b, single, times the published rate: " in table
    with tarfile.open(out / "results.tar.gz") as archive:
        names = archive.getnames()
    assert any(name.startswith("qwen3-0.6b/cells/") for name in names)
    assert not any("loadgen" in name for name in names)


@pytest.mark.slow
def test_parts_left_out_for_want_of_time_are_named(tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    with zipfile.ZipFile(tmp_path / "kit" / "cache.zip", "w"):
        pass
    out = tmp_path / "out"
    run("measure.py", "--kit", str(tmp_path / "kit"), "--out", str(out), "--device", "cpu", "--seconds", "20")
    table = (out / "table.md").read_text(encoding="utf-8")
    for part in measure.PARTS:
        assert f"- {part.folder}: {', '.join(part.engines)}: left out, " in table
