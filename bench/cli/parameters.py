"""Adds to click what the commands need: sections of help, near names, lists, lengths of time, numbers with units."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

Command = Callable[..., Any]


class OneLineGroup(click.Group):
    """Names the nearest commands when one does not exist."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(self.list_commands(ctx))}"
            raise click.UsageError(f"no such command '{args[0]}'; {hint}")
        return super().resolve_command(ctx, args)


class SectionedCommand(click.Command):
    """Lists its options in the sections that `section` put them in, in the order of their first option."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(section_of(param) or "Other", []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def section_of(param: click.Parameter) -> str | None:
    """The title that `section` put a parameter under."""
    title: str | None = vars(param).get("section")
    return title


def section(title: str) -> Callable[[Command], Command]:
    """Put the options declared below this decorator, as far as no other section has them, under a title of the help."""

    def mark(command: Command) -> Command:
        for param in getattr(command, "__click_params__", []):
            vars(param).setdefault("section", title)
        return command

    return mark


class CommaSeparated(click.ParamType):
    """A comma-separated list of names; which of them exist is checked where they are used."""

    name = "names"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
        if not names:
            self.fail("give at least one name", param, ctx)
        return names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from bench.plan.catalogue import known_names

        before, comma, last = incomplete.rpartition(",")
        return [CompletionItem(before + comma + name) for name in known_names(self.what) if name.startswith(last)]


class Duration(click.ParamType):
    """A length of time, "90s", "10m" or "1.5h", as seconds; a bare number is refused, because it could be either."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh])\s*", str(value))
        if not found or float(found[1]) == 0:
            self.fail(f"{value}: write a number and s, m or h, such as 10m", param, ctx)
        return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


class Unit(click.ParamType):
    """A number with a unit, as people type it."""

    name = "number"

    def __init__(self, parse: Callable[[str], float]) -> None:
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from bench.errors import UsageError

        try:
            return value if isinstance(value, float) else self.parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)
