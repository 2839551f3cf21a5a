"""A type checker of a user's sees the interface: nothing of it is Any."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

SCRIPT = """
import bench
from bench import registry

run = bench.run(["agnews"], methods="tfidf")
reveal_type(run)
reveal_type(run.results()[0].quality)
reveal_type(bench.check(run, "baseline.json").verdict)
reveal_type(bench.load("folder").predict(["a"])[0].label)
reveal_type(registry.find("backend", "eager"))
reveal_type(registry.find("trainer", "lora"))
bench.run(suites=["agnews"], tires="quick")
registry.find("engine", "eager")
"""
REVEALED = [
    "bench.api.Run",
    "bench.results.records.Quality | None",
    "bench.results.verdicts.Verdict",
    "str | None",
    "type[bench.types.engines.Backend]",
    "type[bench.types.classifiers.Trainer]",
]


@pytest.mark.slow
def test_a_users_script_is_typed_by_it(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    config = str(Path(__file__).parents[2] / "pyproject.toml")
    said, failed, _ = api.run(
        ["--config-file", config, "--strict", "--follow-imports=silent", str(tmp_path / "script.py")]
    )
    assert re.findall(r'Revealed type is "(.*)"', said) == REVEALED, said + failed
    assert 'Unexpected keyword argument "tires" for "run"' in said
    assert 'No overload variant of "find"' in said
