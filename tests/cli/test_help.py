"""The help of the commands in sections, the names of options that changed, and the version."""

from __future__ import annotations

import re

import click
import pytest
from command_line import bench
from packaging.version import Version

import bench as harness
from bench.cli.main import cli
from bench.machine.environment import git_state

RUN_SECTIONS = ["What to run", "Where the data is", "How to measure", "Many at once", "Output", "Other"]


@pytest.mark.parametrize("command", ["run", "plan", "train", "tune"])
def test_long_help_stands_in_sections_and_only_help_itself_in_none(command: str) -> None:
    text = bench(command, "--help").stdout
    titles = re.findall(r"^(\S.*):$", text, re.MULTILINE)
    assert titles[-1] == "Other"
    assert titles == (RUN_SECTIONS if command == "run" else titles)
    assert re.findall(r"--[a-z0-9-]+", text.split("Other:\n")[1]) == ["--help"]


@pytest.mark.parametrize("flag", ["--backends-file", "--engines"])
def test_the_engine_file_goes_by_its_name_and_by_its_old_one(flag: str) -> None:
    command = cli.get_command(click.Context(cli), "run")
    assert command is not None
    assert str(command.make_context("run", [flag, "mine.toml"]).params["engines_file"]) == "mine.toml"


def test_the_version_names_the_commit_of_a_checkout() -> None:
    said = bench("--version").stdout
    assert Version(harness.__version__) >= Version("0.2.0")
    state = git_state()
    assert state, "the tests run in a checkout"
    assert said.startswith(f"bench {harness.__version__} (commit {state['commit'][:12]}")
