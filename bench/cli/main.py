"""The command `bench`: arguments in, one call into the harness, exit code out."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import click

import bench
from bench.cli import exchange, gates, inspect, look, plan, results, selftest, status
from bench.cli.options import (
    Duration,
    OneLineGroup,
    SectionedCommand,
    csv_option,
    data_options,
    full_option,
    html_option,
    json_option,
    lang_option,
    machine_options,
    quiet_option,
    recipe_options,
    section,
)
from bench.cli.selection import selection_options
from bench.errors import BenchError, CellsFailed
from bench.machine.companions import hide_unfit_companions
from bench.machine.instructions import play_smaller_cpu
from bench.machine.terminal import make_streams_safe, visible

EPILOG = """\b
Exit codes:
  0    done (skipped rows included)
  1    a defect of the harness; run again with --debug and report it
  2    wrong arguments
  3    data that cannot be used
  4    a model or an archive that cannot be had
  5    the run is complete, but some cells failed; their rows say why
  6    a run folder that cannot be read or written
  7    something that cannot run on this machine
  8    two runs that must not be compared: other data, labels or classes; speed of another machine
  9    bench check: a row regressed or failed
  10   bench check: nothing regressed, but a row is not settled or missing
  11   bench selftest: a planted fault was not found
  130  interrupted; `bench run` and `bench train` go on where they stopped
"""


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Version, and the commit where the harness runs from its checkout."""
    if not wanted or ctx.resilient_parsing:
        return
    from bench.machine.environment import git_state

    state = git_state()
    commit = f" (commit {state['commit'][:12]}{', changed' if state['dirty'] else ''})" if state else ""
    click.echo(f"bench {bench.__version__}{commit}")
    ctx.exit()


@click.group(cls=OneLineGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show version and commit.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Measure text classifiers: which model, training method and engine to deploy.

    \b
    Start with:
      bench run --suite agnews,weibo     train, serve and measure; print leaderboards
      bench list                         what there is, and what can run here
      bench doctor                       what is missing, and the command that fixes it
    """
    if debug:
        os.environ["BENCH_DEBUG"] = "1"
    play_smaller_cpu()


@cli.command(cls=SectionedCommand)
@selection_options
@section("How to measure")
@click.option(
    "--budget",
    "budget_s",
    type=Duration(),
    metavar="TIME",
    help="Time for the whole run, such as 10m: cheap rows first, what does not fit is named and left for another run.",
)
@click.option(
    "--recalibrate",
    is_flag=True,
    help="Measure again which engines are this machine's defaults, instead of taking what is in the cache.",
)
@click.option("--retry", is_flag=True, help="Run failed cells of this folder again.")
@section("Output")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder. Default: runs/ and the suites' names.")
@click.option("--shard", metavar="K/N", help="Do part K of N into the store that all parts share, 3/16 for one.")
@click.option(
    "--store",
    metavar="ROOT",
    help="What the parts of a run share: a folder or s3://bucket/path. Default: store in the run folder.",
)
@click.option(
    "--price", "price_per_hour", type=float, help="Price of this machine an hour, for cost per million texts."
)
@full_option
@lang_option
@quiet_option
@json_option
def run(
    full: bool, language: str, quiet: bool, as_json: bool, shard: str | None, store: str | None, **choices: Any
) -> None:
    """Train, serve and measure every cell that has no result yet; print the leaderboards."""
    from bench.cli.run import Shown, run_command

    shown = Shown(language, full=full, quiet=quiet, as_json=as_json)
    failed = run_command(choices, shown, shard, store)
    if failed:
        raise CellsFailed(f"{failed} of the cells failed; their rows say why, --retry runs them again")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@html_option
@full_option
@lang_option
@json_option
def report(folder: Path, page: Path | None, full: bool, language: str, as_json: bool) -> None:
    """Make the leaderboards of a run FOLDER again, from its files alone."""
    from bench.cli.report import print_leaderboard
    from bench.results.leaderboards import file_in

    print_leaderboard(folder, as_json, file_in(folder, language, "html") if page == Path() else page, language, full)


@cli.command(cls=SectionedCommand)
@section("What to train")
@csv_option("--suite", "suites", "Suites to train on.", "suites")
@recipe_options
@click.option("--seeds", type=int, help="Training seeds a method, 1 by default.")
@section("Where the data is")
@data_options
@click.option("--tier", metavar="TIER", help="Takes this tier's number of training texts; quick by default.")
@click.option("--limit", type=int, help="At most this many training texts (stratified).")
@section("What it runs on")
@machine_options
@section("Output")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("models"), show_default=True, help="Target folder."
)
@quiet_option
@json_option
def train(quiet: bool, as_json: bool, **choices: Any) -> None:
    """Train classifiers and put each into a folder of its own, ready for `bench predict`."""
    from bench.cli.run import train_command

    train_command(choices, quiet=quiet, as_json=as_json)


@cli.command(cls=SectionedCommand)
@section("What to search")
@csv_option("--suite", "suites", "The suite to search on.", "suites")
@recipe_options
@click.option("--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Trainings to try.")
@click.option(
    "--space", type=click.Path(path_type=Path), help="TOML file of what to search, like bench/execution/search.toml."
)
@section("Where the data is")
@data_options
@click.option("--tier", metavar="TIER", help="Takes this tier's number of training texts; quick by default.")
@click.option("--limit", type=int, help="At most this many training texts (stratified).")
@section("What it runs on")
@machine_options
@section("Output")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("tuned.toml"), show_default=True, help="Recipe file."
)
@quiet_option
@json_option
def tune(quiet: bool, as_json: bool, **choices: Any) -> None:
    """Search one recipe's hyperparameters by validation; write the best for `bench run --recipes`. Needs Optuna."""
    from bench.cli.run import tune_command

    tune_command(choices, quiet=quiet, as_json=as_json)


plan.add_commands(cli)
status.add_commands(cli)
look.add_commands(cli)
inspect.add_commands(cli)
gates.add_commands(cli)
selftest.add_commands(cli)
exchange.add_commands(cli)
results.add_commands(cli)


def main() -> None:
    """Run the command line; every error becomes one line and its exit code, and `check` returns its own."""
    hide_unfit_companions()
    make_streams_safe()
    try:
        sys.exit(cli.main(prog_name="bench", standalone_mode=False) or 0)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nbench: interrupted; what was finished is kept: give the same command again", err=True)
        sys.exit(130)
    except click.ClickException as error:
        _fail(error.format_message(), 2, error)
    except BenchError as error:
        _fail(str(error), error.exit_code, error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _fail("no disk space left; free some and run the same command again: finished cells are kept", 6, error)
        _fail(_of_system(error), 6, error)
    except Exception as error:
        _fail(f"{type(error).__name__}: {error} (a defect of the harness; --debug shows where)", 1, error)


def _of_system(error: OSError) -> str:
    """What the operating system refused, of which file, and which setting leads there."""
    if error.errno == errno.EFBIG:
        return (
            f"a file became larger than this shell allows (ulimit -f): {error.filename or 'see --out and BENCH_CACHE'}"
        )
    where = str(error.filename or "")
    cause = f"{where}: {error.strerror or error}" if where else str(error.strerror or error)
    cached = where.startswith(os.environ.get("BENCH_CACHE") or str(Path.home() / ".cache" / "bench"))
    advice = "; the cache is there: set BENCH_CACHE to a folder that can be written" if cached else ""
    return cause + advice


def _fail(message: str, exit_code: int, error: Exception) -> None:
    if os.environ.get("BENCH_DEBUG"):
        raise error
    click.echo(f"bench: error: {visible(message)}", err=True)
    sys.exit(exit_code)
