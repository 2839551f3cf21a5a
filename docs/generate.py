"""Writes what the documentation takes from the code: cli.md from the commands, the table of engines.md.

python docs/generate.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import click

from bench import registry
from bench.cli.main import EPILOG, cli
from bench.cli.parameters import section_of
from bench.plan.engines import load_engines

DOCS = Path(__file__).parent
BEGIN, END = "<!-- made by docs/generate.py: begin -->", "<!-- end -->"


def cli_page() -> str:
    """Every command with its options, as `--help` has them."""
    intro = "Made from the commands themselves by `python docs/generate.py`; each also answers `--help`."
    codes = EPILOG.replace("\b\n", "").partition("\n")[2].rstrip()
    commands = "\n\n".join(_command(cli, "bench"))
    return f"# Command line\n\n{intro}\n\n{commands}\n\n## Exit codes\n\n```text\n{codes}\n```\n"


def _command(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    yield f"## {path}\n\n```text\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```"
    if path != "bench" and command.help:
        yield _paragraphs(command.help)
    sections: dict[str, list[str]] = {}
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None and record[1] and "--help" not in record[0]:
            row = f"| `{_cell(record[0])}` | {_cell(record[1])} |"
            sections.setdefault(section_of(param) or "Options", []).append(row)
    for title, rows in sections.items():
        yield "\n".join([f"| {title} | |", "|---|---|", *rows])
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from _command(child, f"{path} {name}")


def _paragraphs(text: str) -> str:
    """Click's help as markdown: a paragraph after a line of \\b keeps its lines, indented alike by every Python."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        kept, _, rest = paragraph.partition("\b\n")
        paragraphs.append(f"```text\n{dedent(rest)}\n```" if rest else " ".join(kept.split()))
    return "\n\n".join(paragraphs)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def engine_table() -> str:
    """One row an engine of bench/plan/engines.toml."""
    rows = ["| engine | what it is | precision | serves | reference |", "|---|---|---|---|---|"]
    for engine in load_engines().values():
        kinds = ", ".join(sorted(registry.find("backend", engine.backend).kinds))
        reference = "yes" if engine.reference else ""
        rows.append(f"| `{engine.name}` | {_cell(engine.title)} | {engine.precision} | {kinds} | {reference} |")
    return "\n".join(rows)


def engines_page(page: str) -> str:
    """The page with its table made anew."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{engine_table()}\n\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write both files."""
    (DOCS / "cli.md").write_text(cli_page(), encoding="utf-8")
    engines = DOCS / "engines.md"
    engines.write_text(engines_page(engines.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
