"""The documentation says what the code does: made from it where it can be, and its links and commands exist."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import click
import pytest

from bench.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHER_TOOLS = ("pytest", "pip", "make", "export", "mlflow")


def made() -> dict[str, object]:
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))


def test_the_commands_page_is_that_of_the_commands() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == made()["cli_page"](), "run `python docs/generate.py`"  # type: ignore[operator]


def test_the_engines_table_is_that_of_the_engines() -> None:
    page = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
    assert page == made()["engines_page"](page), "run `python docs/generate.py`"  # type: ignore[operator]


def test_the_readme_is_a_front_door() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_project_named_in_it_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:bench|backends|trainers|reports|benchmarks|examples|tests|docs)/[\w./-]+)`", text):
        assert "NAME" in name or (ROOT / name).exists(), f"{page.name}: {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_shown_can_be_given(page: Path) -> None:
    """Every `bench ...` line of a bash block parses: its options and arguments exist."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.split(r"&&|\|\|", line):
                words = shlex.split(command, comments=True)
                if words[:1] == ["bench"] and "|" not in words:
                    _parse(words[1:], f"{page.name}: {line}")


def _parse(words: list[str], where: str) -> None:
    group: click.Group = cli
    while True:
        command = group.get_command(click.Context(group), words[0])
        assert command is not None, where
        words = words[1:]
        if not isinstance(command, click.Group):
            break
        group = command
    if ">>" in words:
        words = words[: words.index(">>")]
    command.make_context("bench", words)
