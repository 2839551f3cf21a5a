"""Looks at what is there: the commands list, doctor and completion."""

from __future__ import annotations

import shutil
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from bench.cli.options import json_option, machine_options
from bench.errors import UsageError
from bench.machine.terminal import print_json

if TYPE_CHECKING:
    from bench.types import ModelSet

DEFAULT_ENDPOINT = "https://huggingface.co"
HUB_TIMEOUT_S = 2.0


def add_commands(cli: click.Group) -> None:
    """Register them with the group."""
    for command in (list_, doctor, completion):
        cli.add_command(command)


@click.command("list")
@click.option(
    "--recipes", "all_recipes", is_flag=True, help="Every recipe: system, base model, hyperparameters, needs."
)
@click.option("--models", type=click.Choice(["small", "published"]), help="With --recipes: one model set only.")
@json_option
def list_(all_recipes: bool, models: ModelSet | None, as_json: bool) -> None:
    """Show suites, methods, studies, engines and tiers, and which of them can run here."""
    from bench.machine.environment import default_device
    from bench.plan.catalogue import catalogue, recipe_list

    if all_recipes:
        recipes = recipe_list(models, None)
        if as_json:
            print_json(recipes)
            return
        from bench.cli.views import print_recipes

        print_recipes(recipes)
        return
    content = catalogue(default_device())
    if as_json:
        print_json(content)
        return
    from bench.cli.views import print_catalogue

    print_catalogue(content)


@click.command()
@machine_options
@json_option
def doctor(device: str | None, threads: int | None, as_json: bool) -> None:
    """Check each engine, the machine, the cache and the sources; name the command that makes things ready."""
    content = _examine(device, threads)
    if as_json:
        print_json(content)
        return
    from bench.cli.views import print_examination

    print_examination(content)


def _examine(device: str | None, threads: int | None) -> dict[str, Any]:
    """Everything `bench doctor` shows, JSON-able; touches no model."""
    from bench.machine.environment import default_device, describe_environment
    from bench.machine.threads import usable_cores
    from bench.plan.catalogue import engine_states

    device = device or default_device()
    return {
        "environment": describe_environment(device, threads or usable_cores()),
        "engines": engine_states(device),
        "cache": _cache_state(),
        "hub": _hub_state(),
    }


def _cache_state() -> dict[str, Any]:
    from bench.files.cache import cache_dir

    folder = cache_dir()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    used = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.exists() else 0
    return {"folder": str(folder), "used_bytes": used, "free_bytes": shutil.disk_usage(existing).free}


def _hub_state() -> dict[str, Any]:
    """One short attempt at the hub, or at the mirror that HF_ENDPOINT names, as the loaders make it."""
    from huggingface_hub import constants

    address = urlsplit(constants.ENDPOINT)
    host = address.hostname or constants.ENDPOINT
    port = address.port or (80 if address.scheme == "http" else 443)
    started = time.perf_counter()
    try:
        socket.create_connection((host, port), timeout=HUB_TIMEOUT_S).close()
        reachable = True
    except OSError:
        reachable = False
    return {
        "host": host if address.port is None else f"{host}:{port}",
        "endpoint": constants.ENDPOINT,
        "mirror": constants.ENDPOINT.rstrip("/") != DEFAULT_ENDPOINT,
        "reachable": reachable,
        "seconds": round(time.perf_counter() - started, 3),
    }


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
