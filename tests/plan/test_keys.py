"""Keys follow the source: every file that decides a result counts, wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.plan import keys


@pytest.mark.parametrize("parts", [("trainers", *keys._FOUNDATION), ("backends", *keys._FOUNDATION, *keys._MEASURING)])
def test_every_named_part_holds_source(parts: tuple[str, ...]) -> None:
    for part in parts:
        assert list(keys._source_files((part,))), part
    assert len(keys.source_digest(*parts)) == 64


def test_files_in_subfolders_count() -> None:
    names = {path.relative_to(keys._ROOT).as_posix() for path in keys._source_files(("backends", "trainers"))}
    assert {"backends/onnx/session.py", "trainers/loop/loop.py"} <= names


def test_a_changed_or_moved_file_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_ROOT", tmp_path)
    digest = keys.source_digest.__wrapped__
    (tmp_path / "part" / "inner").mkdir(parents=True)
    file = tmp_path / "part" / "inner" / "one.py"
    file.write_text("x = 1")
    first = digest("part")
    file.write_text("x = 2")
    second = digest("part")
    file.rename(tmp_path / "part" / "one.py")
    assert len({first, second, digest("part")}) == 3


def test_a_part_that_is_gone_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(keys, "_ROOT", tmp_path)
    with pytest.raises(FileNotFoundError):
        keys.source_digest.__wrapped__("bench/gone.py")
