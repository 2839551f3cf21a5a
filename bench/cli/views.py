"""Prints what list, doctor and predict found."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from bench.machine.consoles import SafeConsole

GIB = 2**30


def new_console() -> SafeConsole:
    """A console that prints data as it is."""
    return SafeConsole(highlight=False)


def new_table(title: str, *columns: str) -> Table:
    """A plain table with a title."""
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table


def add_row(table: Table, *cells: str | None) -> None:
    """Cells are data, never markup."""
    table.add_row(*(Text(cell if cell is not None else "-") for cell in cells))


def print_catalogue(content: dict[str, Any]) -> None:
    """The tables of `bench list`."""
    console = new_console()
    suites = new_table("Suites", "name", "title", "language", "classes")
    for suite in content["suites"]:
        classes = suite["classes"]
        shown = ", ".join(classes) if len(classes) <= 4 else f"{len(classes)} classes"
        add_row(suites, suite["name"], suite["title"], suite["language"], shown)
    methods = new_table(
        "Methods of `bench run` (all: bench list --recipes)", "recipe", "method", "models", "base models", "what it is"
    )
    for method in content["methods"]:
        bases = ", ".join(method["base_models"]) or None
        add_row(methods, method["id"], method["method"], method["models"], bases, method["title"])
    tiers = new_table("Tiers", "name", "seconds", "queries", "repeats")
    for tier in content["tiers"]:
        add_row(
            tiers, tier["name"], f">= {tier['min_duration_s']:g}", f">= {tier['min_queries']:,}", str(tier["repeats"])
        )
    studies = new_table("Studies", "name", "varies", "values", "recipes")
    for study in content["studies"]:
        add_row(studies, study["name"], study["axis"], ", ".join(study["values"]), ", ".join(study["methods"]))
    for table in (suites, methods, studies, _engine_table(content["engines"]), tiers):
        console.print(table)
        console.print()


def print_recipes(recipes: list[dict[str, Any]]) -> None:
    """The page of `bench list --recipes`: one table a model set."""
    console = new_console()
    for models in dict.fromkeys(recipe["models"] for recipe in recipes):
        table = new_table(
            f"Recipes, models {models}", "system", "recipe", "method", "base model", "hyperparameters, needs"
        )
        for recipe in recipes:
            if recipe["models"] == models:
                base = ", ".join(recipe["base_models"]) or None
                stands = f" for {recipe['stands_for']}" if recipe["stands_for"] else ""
                settings = [f"{name}={_setting(value)}" for name, value in recipe["params"].items()]
                needs = [f"needs {recipe['needs']}"] if recipe["needs"] else []
                add_row(
                    table,
                    recipe["row"],
                    recipe["id"],
                    recipe["method"],
                    base and base + stands,
                    ", ".join(settings + needs),
                )
        console.print(table)
        console.print()


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _engine_table(engines: list[dict[str, Any]]) -> Table:
    table = new_table("Engines (* = default here)", "name", "precision", "version", "state", "serves")
    for engine in engines:
        star = " *" if engine["default"] else ""
        state = "ready" if engine["ready"] else f"not ready: {engine['reason']}"
        add_row(
            table, engine["name"] + star, engine["precision"], engine["version"], state, ", ".join(engine["serves"])
        )
    return table


def print_examination(content: dict[str, Any]) -> None:
    """The page of `bench doctor`."""
    console = new_console()
    environment = content["environment"]
    cpu = environment["cpu"]
    machine = new_table("Machine", "what", "is")
    add_row(machine, "CPU", f"{cpu['model']}, {cpu['cores']} cores, {environment['threads']} threads used")
    add_row(machine, "vector extensions", ", ".join(cpu["features"]) or "none that matter")
    add_row(machine, "memory", f"{environment['memory_bytes'] / GIB:.1f} GiB")
    add_row(
        machine,
        "GPU",
        "; ".join(f"{gpu['name']}, driver {gpu['driver_version']}" for gpu in environment["gpus"]) or None,
    )
    add_row(machine, "device", environment["device"])
    cache, hub = content["cache"], content["hub"]
    add_row(
        machine,
        "cache",
        f"{cache['folder']}: {cache['used_bytes'] / GIB:.2f} GiB, {cache['free_bytes'] / GIB:.1f} GiB free",
    )
    reach = "reachable" if hub["reachable"] else "not reachable: models and data come from packages"
    which = f"{hub['host']}, a mirror (HF_ENDPOINT={hub['endpoint']})," if hub["mirror"] else hub["host"]
    add_row(machine, "hub", f"{which} {reach} ({hub['seconds']} s)")
    packages = new_table("Packages", "package", "version")
    for name, version in environment["packages"].items():
        add_row(packages, name, version or "not installed")
    console.print(machine)
    console.print()
    console.print(packages)
    console.print()
    console.print(_engine_table(content["engines"]))
    for engine in content["engines"]:
        if engine["remedy"]:
            console.print(Text(f"  {engine['name']}: {engine['remedy']}"))


def print_predictions(rows: list[dict[str, Any]]) -> None:
    """Label and confidence; several models side by side, one line each."""
    console = new_console()
    table = new_table("", "label", "confidence", "model", "text")
    table.title = None
    for row in rows:
        for answer in row["models"]:
            confidence = None if answer["confidence"] is None else f"{answer['confidence']:.1%}"
            add_row(
                table,
                answer["label"] or "(no valid answer)",
                confidence,
                _short(answer["model"]),
                _shorten(row["text"]),
            )
    console.print(table)


def _short(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


def _shorten(text: str, limit: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
