"""Every registered name can be reached and keeps its contract; a wrong one is answered with the nearest."""

from __future__ import annotations

import inspect

import pytest

from bench import registry
from bench.errors import UsageError
from bench.models.architectures import random_recipes
from bench.plan.engines import load_engines
from bench.plan.recipes import recipes_for
from bench.types import Backend, ClassifierKind

KINDS = set(ClassifierKind.__args__)


@pytest.mark.parametrize("name", registry.names("backend"))
def test_a_backend_keeps_its_contract(name: str) -> None:
    backend = registry.find("backend", name)
    assert backend.kinds
    assert backend.kinds <= KINDS
    assert issubclass(backend, Backend)
    assert list(inspect.signature(backend).parameters) == ["spec", "place"]
    engines = [engine for engine in load_engines().values() if engine.backend == name]
    assert engines or name == "faulty"  # the self-test's engines are in no table
    for engine in engines:
        available = backend.availability(engine, "cpu")
        assert available.ok or (available.reason and available.remedy)


@pytest.mark.parametrize("name", registry.names("trainer"))
def test_a_trainer_keeps_its_contract(name: str) -> None:
    trainer = registry.find("trainer", name)
    assert list(inspect.signature(trainer).parameters) == ["recipe", "base", "place"]
    assert list(inspect.signature(trainer.fit).parameters) == ["self", "data", "seed", "out", "progress"]
    recipes = [*recipes_for("small"), *recipes_for("published"), *random_recipes()]
    assert any(recipe.method == name for recipe in recipes)


@pytest.mark.parametrize("kind", sorted(KINDS - {"served"}))
def test_every_kind_with_weights_has_one_reference_engine(kind: str) -> None:
    references = [
        engine
        for engine in load_engines().values()
        if engine.reference and kind in registry.find("backend", engine.backend).kinds
    ]
    assert len(references) == 1
    assert references[0].precision == "fp32"


@pytest.mark.parametrize("name", registry.names("report"))
def test_a_report_can_be_called(name: str) -> None:
    assert callable(registry.find("report", name))


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown backend 'eagre'; did you mean eager"):
        registry.find("backend", "eagre")
