"""Declares the options that several commands share, and reads out of a command's choices what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.parameters import Command, CommaSeparated, section

if TYPE_CHECKING:
    from bench.data.reading import Reading
    from bench.plan.prompts import OwnPrompts


def csv_option(flag: str, field: str, text: str, what: str) -> Callable[[Command], Command]:
    """An option that takes several names separated by commas."""
    return click.option(flag, field, type=CommaSeparated(what), metavar="NAME,...", help=text)


def reading_options(command: Command) -> Command:
    """How a file of texts is to be read."""
    for option in (
        click.option(
            "--language",
            "text_language",
            metavar="CODE",
            help="Language of the texts, such as en, zh, ja, th, de. Default: by their letters.",
        ),
        click.option(
            "--drop-empty", is_flag=True, help="Leave out rows that lack a text or a label; the table says so."
        ),
        click.option(
            "--label-map",
            metavar="LABEL=CLASS,...",
            help="What the labels of --data mean, such as 1=World,2=Sports; or a JSON file.",
        ),
        click.option("--header/--no-header", default=None, help="Whether the first line of --data names the columns."),
        click.option("--delimiter", metavar="SIGN", help="What divides the columns of --data, such as ';' or tab."),
        click.option(
            "--encoding", metavar="NAME", help="Encoding of --data, such as cp1252. Default: UTF-8 or its mark."
        ),
        click.option("--label-column", metavar="NAME", help="Column of the labels in --data: name, position or path."),
        click.option(
            "--text-column",
            metavar="NAME,...",
            help="Column of the texts in --data: name, position (from 1) or path (data.text); several are joined.",
        ),
    ):
        command = option(command)
    return command


def data_options(command: Command) -> Command:
    """Where the texts come from, and how they are to be read."""
    for option in (
        reading_options,
        click.option(
            "--data",
            type=click.Path(path_type=Path),
            help="A file or folder of texts: CSV, TSV, JSON, JSONL, parquet, fastText, compressed or not; hf:ORG/NAME "
            "for one of the hub; with --suite a folder of suites' data (default BENCH_DATA).",
        ),
    ):
        command = option(command)
    return command


def training_options(command: Command) -> Command:
    """The texts that classifiers are trained on, and what it runs on, in sections of their own."""
    for option in (
        machine_options,
        section("What it runs on"),
        click.option("--limit", type=int, help="At most this many training texts (stratified)."),
        click.option("--tier", metavar="TIER", help="Takes this tier's number of training texts; quick by default."),
        data_options,
        section("Where the data is"),
    ):
        command = option(command)
    return command


def take_reading(choices: dict[str, Any]) -> Reading:
    """Take how the data is to be read out of a command's choices."""
    from bench.data.labels import read_label_map
    from bench.data.reading import Reading

    label_map = choices.pop("label_map", None)
    given = {
        name: choices.pop(name, None) for name in ("text_column", "label_column", "encoding", "delimiter", "header")
    }
    return Reading(
        **given,
        drop_empty=choices.pop("drop_empty", False),
        label_map=read_label_map(label_map) if label_map else (),
        language=choices.pop("text_language", None),
    )


def prompt_options(command: Command) -> Command:
    """How language models are asked."""
    for option in (
        click.option(
            "--descriptions",
            multiple=True,
            metavar="CLASS=TEXT",
            help="What a class means, for {descriptions}; once a class, or a JSON file.",
        ),
        click.option(
            "--label-words",
            multiple=True,
            metavar="CLASS=WORD",
            help="The word that stands for a class in prompts and answers; once a class, or a JSON file.",
        ),
        click.option("--question", metavar="TEXT", help="The question of prompts; {question} in a template."),
        click.option(
            "--prompt",
            "templates",
            multiple=True,
            metavar="TEMPLATE",
            help="Your own prompt, or a file of it: {text}, and {options}, {descriptions}, {question} where they go. "
            "Several are a study of how much the prompt decides.",
        ),
    ):
        command = option(command)
    return command


def take_prompts(choices: dict[str, Any]) -> OwnPrompts:
    """Take the own prompts out of a command's choices; raises UsageError for one that cannot be asked."""
    from bench.plan.prompts import OwnPrompts, read_by_class, read_question, read_template

    templates, question = choices.pop("templates", ()), choices.pop("question", None)
    words, descriptions = choices.pop("label_words", ()), choices.pop("descriptions", ())
    return OwnPrompts(
        templates=tuple(dict.fromkeys(map(read_template, templates))),
        question=None if question is None else read_question(question),
        label_words=read_by_class("--label-words", words) or None,
        descriptions=read_by_class("--descriptions", descriptions) or None,
    )


def recipe_options(command: Command) -> Command:
    """Which classifiers are trained, and with what."""
    for option in (
        prompt_options,
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="NAME=VALUE",
            help="Another value of a hyperparameter, e.g. --set epochs=3 (may be given several times).",
        ),
        click.option(
            "--recipes",
            type=click.Path(path_type=Path),
            help="A TOML file of your own recipes (bench/plan/recipes.toml).",
        ),
        click.option(
            "--models", type=click.Choice(["small", "published"]), help="Base models; small on a CPU by default."
        ),
        csv_option(
            "--base",
            "bases",
            "Base models in place of the recipes': ORG/NAME[@REVISION] of the hub, a folder, or a known name.",
            "base models",
        ),
        csv_option("--methods", "methods", "Training methods, recipe ids or published systems (A1 ... D2).", "methods"),
    ):
        command = option(command)
    return command


def endpoint_options(command: Command) -> Command:
    """Which servers are asked besides the engines in this process."""
    for option in (
        click.option("--concurrency", type=click.IntRange(1, 1024), help="Requests in flight at once. Default: 8."),
        click.option("--endpoint-key-env", metavar="VARIABLE", help="Environment variable that holds its key."),
        click.option("--endpoint-model", metavar="NAME", help="The model's name at the endpoint."),
        click.option(
            "--endpoint", metavar="URL", help="An OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1 (a backend)."
        ),
        click.option(
            "--backends-file",
            "--engines",
            "engines_file",
            type=click.Path(path_type=Path),
            help="A TOML file of your own engines (bench/plan/engines.toml); --engines is its old name.",
        ),
    ):
        command = option(command)
    return command


def machine_options(command: Command) -> Command:
    """What it runs on."""
    for option in (
        click.option("--threads", type=click.IntRange(min=1), help="Threads of every engine. Default: all cores."),
        click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Default: cuda where it can be used."),
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines instead of tables.")
full_option = click.option("--full", is_flag=True, help="Print every table, not one screen a suite.")
html_option = click.option(
    "--html",
    "page",
    is_flag=False,
    flag_value=Path(),
    type=click.Path(path_type=Path),
    metavar="[FILE]",
    help="Write the HTML page too; without FILE as leaderboard.html in the run folder.",
)
lang_option = click.option(
    "--lang",
    "language",
    type=click.Choice(["en", "zh"]),
    default="en",
    show_default=True,
    help="Language of the tables.",
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress; results and errors only.")
