"""The commands that look at what is there: list, doctor, predict, completion."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import json_option, machine_options
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.types import ModelSet


def add_commands(cli: click.Group) -> None:
    """Register them with the group."""
    for command in (list_, doctor, predict, completion):
        cli.add_command(command)


@click.command("list")
@click.option("--recipes", "all_recipes", is_flag=True, help="Every recipe: row, base model, hyperparameters, needs.")
@click.option("--models", type=click.Choice(["small", "published"]), help="With --recipes: one model set only.")
@json_option
def list_(all_recipes: bool, models: ModelSet | None, as_json: bool) -> None:
    """Show suites, methods, studies, engines and tiers, and which of them can run here."""
    from bench.machine.environment import default_device
    from bench.plan.catalogue import catalogue, recipe_list

    if all_recipes:
        recipes = recipe_list(models, None)
        if as_json:
            _print_json(recipes)
            return
        from bench.cli.views import print_recipes

        print_recipes(recipes)
        return
    content = catalogue(default_device())
    if as_json:
        _print_json(content)
        return
    from bench.cli.views import print_catalogue

    print_catalogue(content)


@click.command()
@machine_options
@json_option
def doctor(device: str | None, threads: int | None, as_json: bool) -> None:
    """Check each engine, the machine, the cache and the sources; name the command that makes things ready."""
    from bench.cli.doctor import examine

    content = examine(device, threads)
    if as_json:
        _print_json(content)
        return
    from bench.cli.views import print_examination

    print_examination(content)


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MODEL...")
@click.option("--text", "texts", multiple=True, help="A text to classify; may be given several times.")
@click.option("--file", type=click.Path(path_type=Path), help="A file with one text a line.")
@click.option("--engine", help="Engine to serve with. Default: the reference engine of the model's kind.")
@machine_options
@json_option
def predict(
    models: tuple[Path, ...],
    texts: tuple[str, ...],
    file: Path | None,
    engine: str | None,
    device: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Label texts with one MODEL folder, or several side by side.

    Without --text and --file a prompt asks for texts; q leaves.
    """
    from bench.execution.predict import Predictor, read_lines

    if texts and file:
        raise UsageError("--text and --file cannot both be given")
    given = list(texts) if texts else read_lines(file) if file else None
    if given is None and not sys.stdin.isatty():
        given = [line.rstrip("\n") for line in sys.stdin if line.strip()]
    with Predictor(models, engine, device, threads) as predictor:
        if given is None:
            _prompt(predictor)
        elif as_json:
            _print_json(predictor.rows(given))
        else:
            from bench.cli.views import print_predictions

            print_predictions(predictor.rows(given))


def _prompt(predictor: Any) -> None:
    """Ask for texts until q, an end of input or Ctrl-C."""
    from bench.cli.views import print_predictions

    click.echo("Enter a text to classify; q leaves.")
    while True:
        try:
            text = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return
        if text == "q":
            return
        if text:
            print_predictions(predictor.rows([text]))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL; e.g. bench completion bash >> ~/.bashrc."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise UsageError(f"no completion for {shell}")
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, "bench", "_BENCH_COMPLETE").source())


def _print_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=1) + "\n")
