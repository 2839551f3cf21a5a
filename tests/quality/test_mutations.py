"""The mutations that survived once can still be planted, and the tests that must kill them are there."""

from __future__ import annotations

import mutations
import pytest
from mutants import Named, mutants_of, mutated

NAMED = mutations.read_named()


@pytest.mark.parametrize("each", NAMED, ids=lambda each: each.name)
def test_a_named_mutation_can_be_planted(each: Named) -> None:
    source = (mutations.ROOT / each.module).read_text(encoding="utf-8")
    assert each.code(source) != compile(source, each.module, "exec")
    for test in each.tests:
        assert (mutations.ROOT / test.partition("::")[0]).is_file()


def test_a_mutation_whose_code_is_gone_says_so() -> None:
    with pytest.raises(ValueError, match="0 times"):
        NAMED[0].code("nothing = 1\n")


def test_every_mutant_differs_from_the_source_in_one_place() -> None:
    source = "def share(part: int, whole: int) -> float:\n    return max(part, 1) / whole if whole > 0 else 0.5\n"
    mutants = list(mutants_of("m", source))
    assert {(each.before, each.after) for each in mutants} >= {
        ("whole > 0", "whole >= 0"),
        ("max(part, 1)", "min(part, 1)"),
        ("max(part, 1) / whole", "max(part, 1) * whole"),
        ("0.5", "1.125"),
    }
    results = []
    for each in mutants:
        space: dict[str, object] = {}
        exec(mutated("m", source, each.number), space)  # noqa: S102 - the source above, changed
        results.append(space["share"](3, 2))  # type: ignore[operator]
    assert results.count(1.5) < len(results)


def test_every_module_has_tests() -> None:
    for module, tests in mutations.MODULES.items():
        assert (mutations.ROOT / module).is_file(), module
        assert all((mutations.ROOT / test).exists() for test in tests), module
