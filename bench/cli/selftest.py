"""Shows whether the harness can be believed: the command selftest."""

from __future__ import annotations

import click

from bench.cli.options import json_option, lang_option, quiet_option
from bench.machine.terminal import print_json


def add_commands(cli: click.Group) -> None:
    """Register it with the group."""
    cli.add_command(selftest)


@click.command()
@lang_option
@quiet_option
@json_option
def selftest(language: str, quiet: bool, as_json: bool) -> None:
    """Plant faults and see whether the harness finds them: about two minutes.

    Engines that do nothing, stall, flip labels, cache answers, save time on repeated texts or read part of a text;
    slowdowns of 5, 10 and 20 %; accuracy losses of 0.2, 0.5 and 1 point; a repaired tokenizer, a rank by another
    metric, a stranger's run folder. The last result of this version on this machine stands in every report.

    Exit codes: 0 all found; 11 one was not, or something honest was called faulty.
    """
    from bench import registry
    from bench.errors import SelfTestFailed
    from bench.execution.console import RunConsole
    from bench.machine.consoles import SafeConsole
    from bench.selftest.checks import run_selftest

    with RunConsole(quiet) as console:
        record = run_selftest(console)
    page = registry.find("report", "selftest")(record, language)
    if as_json:
        print_json(page.to_dict())
    else:
        page.print(SafeConsole(highlight=False))
    if not record.passed:
        failed = ", ".join(check.name for check in record.checks if not check.passed)
        raise SelfTestFailed(f"do not believe figures made here: {failed}")
