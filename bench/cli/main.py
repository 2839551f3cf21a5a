"""Takes the command `bench`: arguments in, one call into the harness, exit code out."""

from __future__ import annotations

import errno
import os
import sys

import click

import bench
from bench.cli import gates, inspect, look, plan, predict, report, results, run, selftest, status, training
from bench.cli.parameters import OneLineGroup
from bench.errors import BenchError
from bench.files.cache import cache_dir
from bench.machine.companions import hide_unfit_companions
from bench.machine.instructions import play_smaller_cpu
from bench.machine.terminal import make_streams_safe, visible

EPILOG = """\b
Exit codes:
  0    done (skipped results included)
  1    a defect of the harness; run again with --debug and report it
  2    wrong arguments
  3    data that cannot be used
  4    a model or an archive that cannot be had
  5    the run is complete, but some cells failed; their results say why
  6    a run folder that cannot be read or written
  7    something that cannot run on this machine
  8    two runs that must not be compared: other data, labels or classes; speed of another machine
  9    bench check: a result regressed or failed
  10   bench check: nothing regressed, but a result is not settled or missing
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


for part in (run, plan, status, report, training, look, predict, inspect, gates, selftest, results):
    part.add_commands(cli)


def main() -> None:
    """Run the command line; every error becomes one line and its exit code, and `check` returns its own."""
    hide_unfit_companions()
    make_streams_safe()
    try:
        code = cli.main(prog_name="bench", standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a full disk behind it is an error and no remark after the last line
        sys.exit(code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nbench: interrupted; what was finished is kept: give the same command again", err=True)
        sys.exit(130)
    except click.ClickException as error:
        _fail(error.format_message(), 2, error)
    except BenchError as error:
        _fail(str(error), error.exit_code, error)
    except BrokenPipeError:
        _let_go_of_output()
        sys.exit(1)
    except OSError as error:
        _let_go_of_output()
        if error.errno == errno.ENOSPC:
            _fail("no disk space left; free some and run the same command again: finished cells are kept", 6, error)
        _fail(_of_system(error), 6, error)
    except Exception as error:
        _fail(f"{type(error).__name__}: {error} (a defect of the harness; --debug shows where)", 1, error)


def _let_go_of_output() -> None:
    """Send what is still to be flushed nowhere, where standard output takes no more."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _of_system(error: OSError) -> str:
    """What the operating system refused, of which file, and which setting leads there."""
    if error.errno == errno.EFBIG:
        return (
            f"a file became larger than this shell allows (ulimit -f): {error.filename or 'see --out and BENCH_CACHE'}"
        )
    where = str(error.filename or "")
    cause = f"{where}: {error.strerror or error}" if where else str(error.strerror or error)
    cache = str(cache_dir())
    cached = bool(where) and (where.startswith(cache) or cache.startswith(f"{where}/"))
    advice = "; the cache is there: set BENCH_CACHE to a folder that can be written" if cached else ""
    return cause + advice


def _fail(message: str, exit_code: int, error: Exception) -> None:
    if os.environ.get("BENCH_DEBUG"):
        raise error
    click.echo(f"bench: error: {visible(message)}", err=True)
    sys.exit(exit_code)
