"""Keys follow the source: every module that a training or a measurement imports counts, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from imported_modules import modules_of, serve, train
from tiny_classifiers import embedding_mean, linear, options_llama, sequence_bert, tiny_texts
from tiny_models import toy_dataset
from tiny_trainings import TRAINED

from bench import registry
from bench.plan import import_graph
from bench.plan.engines import load_engines
from bench.plan.import_graph import imported_files, source_digest
from bench.plan.keys import measuring_modules, training_modules
from bench.types import Classifier, EngineSpec, Recipe, TrainCut

# pytest loads the plug-in in this test's processes, and torchvision is hidden as in ours
HELPERS = {"bench.gates", "bench.gates.pytest_plugin", "bench.machine.companions"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tfidf", "full-finetune", "lora on GPT-2", "sft, letters"])
def test_every_module_that_a_training_imports_is_in_its_key(name: str, tmp_path: Path) -> None:
    recipe, make_base = TRAINED[name]
    base = make_base(tmp_path / "base") if make_base else None
    imported = modules_of(train, recipe, base, toy_dataset(), tmp_path / "made")
    assert f"trainers.{recipe.method.replace('-', '_')}" in imported
    assert imported <= {*imported_files(training_modules(recipe)), *HELPERS}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "make"),
    [("eager", sequence_bert), ("packed", options_llama), ("onnx", embedding_mean), ("sklearn", linear)],
)
def test_every_module_that_a_measurement_imports_is_in_its_key(
    engine: str, make: Callable[[Path], Classifier], tmp_path: Path
) -> None:
    imported = modules_of(serve, make(tmp_path / "made").path, engine, tiny_texts(3))
    assert any(name.startswith("backends.") for name in imported)
    assert imported <= {*imported_files(measuring_modules(load_engines()[engine])), *HELPERS}


@pytest.mark.parametrize("modules", [("trainers.full_finetune",), ("bench.execution.measure_job", "backends.eager")])
def test_an_edit_in_any_of_them_changes_the_digest(modules: tuple[str, ...], tmp_path: Path) -> None:
    files = imported_files(modules)
    before = import_graph.digest_of(files)
    for number, (name, path) in enumerate(files.items()):
        edited = tmp_path / f"{number}.py"
        edited.write_bytes(path.read_bytes() + b"\n# an edit\n")
        assert import_graph.digest_of({**files, name: edited}) != before, name


def test_the_modules_named_by_the_old_bug_are_hashed() -> None:
    for engine in ("eager", "packed"):
        hashed = set(imported_files(measuring_modules(load_engines()[engine])))
        assert {"bench.classifiers.body", "bench.machine.memory", "bench.quality.scores"} <= hashed
    trained = set(imported_files(training_modules(Recipe(id="r", title="r", method="lora"))))
    assert {"bench.classifiers.lean_decoder", "bench.text.splits", "bench.text.language"} <= trained


def test_another_engine_s_folder_leaves_a_cell_alone() -> None:
    eager = set(imported_files(measuring_modules(load_engines()["eager"])))
    assert not any(name.startswith(("backends.onnx", "backends.vllm", "trainers", "reports")) for name in eager)


def test_a_wrapping_engine_counts_what_it_wraps() -> None:
    spec = EngineSpec(
        name="f", title="f", backend="faulty", precision="fp32", options={"engine": "onnx", "fault": "none"}
    )
    assert "backends.onnx.session" in imported_files(measuring_modules(spec))


def test_hard_texts_count_the_model_that_finds_them() -> None:
    hard = Recipe(id="r", title="r", method="tfidf", cut=TrainCut(selection="hard"))
    assert "trainers.zero_shot" in training_modules(hard)
    assert "trainers.zero_shot" not in training_modules(hard.model_copy(update={"cut": TrainCut()}))


def test_every_registered_name_leads_to_source() -> None:
    for what in ("trainer", "backend"):
        for name in registry.names(what):
            module = registry.module_of(what, name)
            assert module in imported_files((module,))


def test_a_plug_in_s_own_modules_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "my_engine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "backend.py").write_text("from .inner import forward\nfrom bench.types import Backend\n")
    (package / "inner.py").write_text("def forward(): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = imported_files(("my_engine.backend",))
    assert {"my_engine", "my_engine.backend", "my_engine.inner", "bench.types"} <= set(found)
    before = source_digest.__wrapped__(("my_engine.backend",))
    (package / "inner.py").write_text("def forward(): return 1\n")
    assert source_digest.__wrapped__(("my_engine.backend",)) != before
