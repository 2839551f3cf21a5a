"""`import bench` loads nothing, changes nothing, and still offers every name."""

from __future__ import annotations

import dataclasses
import inspect
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.data.reading import Reading
from bench.execution.spread import Spread
from bench.machine import companions
from bench.plan.keywords import SPREAD
from bench.plan.prompts import OwnPrompts
from bench.plan.request import RunRequest

RENAMED = {"backends": "engines", "backends_file": "engines_file", "prompts": "templates"}


def python(code: str, folder: Path | None = None) -> str:
    path = os.pathsep.join([*([str(folder)] if folder else []), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_no_other_module_and_sets_no_variable() -> None:
    code = (
        "import os, sys; import collections.abc, typing; before, variables = set(sys.modules), dict(os.environ);"
        "import bench; print(sorted(set(sys.modules) - before - {'typing.io', 'typing.re'}), variables == os.environ)"
    )
    assert python(code) == "['bench'] True"


def test_reading_a_run_loads_nothing_that_trains_or_serves() -> None:
    heavy = ("torch", "transformers", "sklearn", "onnxruntime", "pandas")
    loaded = f"import bench, sys; bench.open_run; bench.check; print([m for m in {heavy} if m in sys.modules])"
    assert python(loaded) == "[]"


def test_import_leaves_a_torchvision_that_does_not_fit_where_it_is(tmp_path: Path) -> None:
    for name, version in (
        ("torch", "9.9+cpu"),
        ("torchvision", "9.9"),
        ("torchaudio", "9.9+cpu"),
        ("torchcodec", "9.9+cpu"),
    ):
        card = tmp_path / f"{name}-{version}.dist-info"
        card.mkdir()
        (card / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (tmp_path / "torchvision.py").write_text("mine = True\n")
    hidden = "from bench.machine.companions import hide_unfit_companions as hide; print(hide())"
    assert python(f"{hidden}; import sys; print(sys.modules['torchvision'])", tmp_path) == "('torchvision',)\nNone"
    assert python("import bench; bench.open_run; import torchvision; print(torchvision.mine)", tmp_path) == "True"


def test_unfit_companions_come_back_after_a_classifier_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: dict[str, Any] = {"torchaudio": "imported by the user"}
    monkeypatch.setattr(companions, "MODULES", modules)
    monkeypatch.setattr(companions, "_build", {"torch": "cpu", "torchvision": "", "torchaudio": ""}.get)
    with companions.unfit_companions_hidden():
        assert modules == {"torchaudio": "imported by the user", "torchvision": None}
    assert modules == {"torchaudio": "imported by the user"}


def test_every_name_is_there_and_a_wrong_one_is_not() -> None:
    for name in bench.__all__:
        assert getattr(bench, name)
        assert name in dir(bench)
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = bench.rum  # type: ignore[attr-defined]


def test_run_takes_every_choice_of_the_command() -> None:
    parameters = inspect.signature(bench.run).parameters
    fields = {**RunRequest.model_fields, **Reading.model_fields, **OwnPrompts.model_fields}
    for taken_apart in ("reading", "prompts"):
        del fields[taken_apart]
    spread = {field.name: field.default for field in dataclasses.fields(Spread)}
    assert set(spread) == set(SPREAD)
    assert {RENAMED.get(name, name) for name in parameters} - {"progress"} == {*fields, *spread}
    for name, parameter in parameters.items():
        if name != "progress":
            default = spread[name] if name in spread else fields[RENAMED.get(name, name)].default
            assert parameter.default == (None if default == () and name != "suites" else default), name


@pytest.mark.parametrize("package", ["bench", "backends", "trainers", "reports"])
def test_packages_say_that_they_are_typed(package: str) -> None:
    assert (Path(__file__).parents[2] / package / "py.typed").is_file()


def test_a_companion_that_is_not_installed_is_no_unfit_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(companions, "version", absent)
    monkeypatch.setattr(companions, "MODULES", {})
    assert companions.hide_unfit_companions() == ()
