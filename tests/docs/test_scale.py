"""docs/scale.md: the sbatch script and the Job manifest can be read, and their commands are commands."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from bench.cli.main import cli
from bench.plan.shards import parse_shard

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}


def block(title: str) -> str:
    """The code of a section."""
    [code] = re.findall(r"```(?:bash|yaml)\n(.*?)```", SECTIONS[title], re.DOTALL)
    return str(code)


def run_options(line: str, **variables: str) -> dict[str, object]:
    for name, value in variables.items():
        line = line.replace(name, value)
    words = shlex.split(line)
    command = cli.get_command(click.Context(cli), words[1])
    assert command is not None
    return command.make_context(words[1], words[2:]).params


def test_the_sbatch_script_runs_parts_of_an_array() -> None:
    script = block("Slurm")
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    [line] = re.findall(r"^srun (bench run .*)", script.replace("\\\n", ""), re.MULTILINE)
    first, last = re.findall(r"--array=(\d+)-(\d+)", script)[0]
    for index in (first, last):
        shard = run_options(line, **{"$SLURM_ARRAY_TASK_ID": index, "$SLURM_ARRAY_TASK_COUNT": last})["shard"]
        assert str(parse_shard(str(shard))) == f"{index}/{last}"


def test_the_job_manifest_runs_every_part() -> None:
    job = yaml.safe_load(block("Kubernetes"))
    assert job["spec"]["completionMode"] == "Indexed"
    [container] = job["spec"]["template"]["spec"]["containers"]
    [script] = container["args"]
    for index in (0, job["spec"]["completions"] - 1):
        shown = subprocess.run(
            [*container["command"], script.replace("exec bench", "echo bench")],
            env={"JOB_COMPLETION_INDEX": str(index), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        options = run_options(shown)
        assert str(parse_shard(str(options["shard"]))) == f"{index + 1}/16"
        assert str(options["store"]).startswith("s3://")


@pytest.mark.parametrize("line", re.findall(r"^(bench [^#\n]*)", PAGE, re.MULTILINE))
def test_its_commands_are_commands(line: str) -> None:
    run_options(line)
