"""The speed gate on this machine: how often it calls an unchanged engine slower, how often it finds a planted slowdown.

    BENCH_DATA=DIR python benchmarks/speed_gate.py --classifier DIR [--seconds 240] [--out speed_gate.jsonl]

A set is fresh processes that take turns: base, base again, the same engine `--unchanged` times, and `--slower` times
the same engine with a planted slowdown. Each set is compared `--comparisons` times. The comparisons are appended to a
file, so that the script may be stopped and called again; `--table` writes the table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.classifiers.folder import load_classifier
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.files.cache import cache_dir
from bench.gates.speed_rules import Crowd, judge_turns
from bench.gates.turns import MOST_TURNS, Side, SpeedWorker, take_turns
from bench.gates.worker import WorkerTask
from bench.machine.environment import cpu_card
from bench.plan.engines import load_engines
from bench.plan.plan import store_dataset
from bench.results.verdicts import Verdict
from bench.types import EngineSpec, Scenario

TEXTS = 2000


def main() -> None:
    arguments = _arguments()
    if not arguments.table:
        measure(arguments)
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()]
    table = render(lines)
    arguments.out.with_suffix(".md").write_text(table, encoding="utf-8")
    print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=None, help="folder with agnews/test.parquet; default BENCH_DATA")
    parser.add_argument("--classifier", type=Path, help="a classifier folder the engine serves")
    parser.add_argument("--engine", default="packed")
    parser.add_argument("--scenario", default="single")
    parser.add_argument("--planted", type=float, default=0.2)
    parser.add_argument("--unchanged", type=int, default=8)
    parser.add_argument("--slower", type=int, default=2)
    parser.add_argument("--comparisons", type=int, default=5)
    parser.add_argument("--load", default="as it was", help="what else the machine did, as the table names it")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=240, help="begin no further set after this long")
    parser.add_argument("--table", action="store_true", help="only write the table of what is there")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".jsonl"))
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> None:
    """Sets of processes until the time is up."""
    until = time.monotonic() + arguments.seconds
    data = prepare_dataset(load_suite("agnews"), arguments.data, Limits(train=600, test=TEXTS), None)
    folder = store_dataset(data)
    seed = len(arguments.out.read_text().splitlines()) if arguments.out.exists() else 0
    with tempfile.TemporaryDirectory() as scratch:
        while time.monotonic() < until:
            for line in one_set(arguments, folder, Path(scratch) / "log", seed):
                with arguments.out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                measured = f"{line['slowdown']['value']:+.3f}, noise {line['noise']:.3f}, {line['turns']} turns"
                print(f"planted {line['planted']:.0%}: {line['verdict']} {measured}", flush=True)
            seed += 100


def one_set(arguments: argparse.Namespace, data_folder: Path, log: Path, seed: int) -> Iterator[dict[str, Any]]:
    """A/A and A/B comparisons between fresh processes."""
    slower = EngineSpec(
        name="slower",
        title="planted",
        backend="faulty",
        precision="fp32",
        options={"engine": arguments.engine, "fault": "slower", "share": arguments.planted},
    )
    scenario: Scenario = arguments.scenario
    with ExitStack() as stack:

        def start(spec: EngineSpec) -> SpeedWorker:
            task = WorkerTask(
                classifier=load_classifier(arguments.classifier).path.resolve(),
                engine=spec.name,
                engine_spec=spec,
                data_folder=data_folder,
                items=TEXTS,
                device="cpu",
                threads=arguments.threads,
                cache=cache_dir(),
            )
            return stack.enter_context(SpeedWorker(Side(task), log))

        engine = load_engines()[arguments.engine]
        workers = [
            start(spec) for spec in (engine, engine, *[engine] * arguments.unchanged, *[slower] * arguments.slower)
        ]
        planted = [0.0] * arguments.unchanged + [arguments.planted] * arguments.slower
        for number in range(arguments.comparisons):
            turns = take_turns(workers, scenario, MOST_TURNS, lambda *_: None, seed=seed + number)
            for head, share in enumerate(planted, start=2):
                places = [0, 1, head]
                crowd = Crowd(turns.crowd.held_up[:, places], turns.crowd.others[:, places])
                base_s, again_s, head_s = turns.seconds[:, places].T
                judgement = judge_turns(scenario, base_s, again_s, head_s, crowd)
                raw = {"seconds": [base_s.tolist(), again_s.tolist(), head_s.tolist()]}
                yield (
                    {"engine": engine.name, "planted": share, "load": arguments.load}
                    | judgement.model_dump(mode="json")
                    | raw
                )


def _group(line: dict[str, Any]) -> tuple[str, str, str, float]:
    return line["engine"], line["scenario"], line["load"], line["planted"]


def render(lines: list[dict[str, Any]]) -> str:
    """One row an engine, a scenario and a planted slowdown."""
    text = [
        "# The speed gate on a shared machine",
        "",
        f"{cpu_card()['model']}, two cores, one thread for the engine. MiniLM fine-tuned on AG News, its test texts, "
        "LoadGen. A set: fresh processes for base, base again, unchanged heads and slower ones, which take turns. "
        "held up: by other processes, of the turns of the side that they held up most; over 5 % nothing is judged. "
        "Made by `BENCH_DATA=DIR python benchmarks/speed_gate.py --classifier DIR`.",
        "",
        "| engine | scenario | machine | planted | comparisons | REGRESSED | INCONCLUSIVE | PASS | measured slowdown, "
        "median (range) | noise, median (largest) | held up, median (largest) | turns, median |",
        "|---|---|---|--:|--:|--:|--:|--:|---|---|---|--:|",
    ]
    groups = sorted({_group(line) for line in lines})
    for key in groups:
        part = [line for line in lines if _group(line) == key]
        counts = Counter(line["verdict"] for line in part)
        slowdowns, noises, turns, held_up = (
            sorted(values)
            for values in zip(
                *((line["slowdown"]["value"], line["noise"], line["turns"], line["held_up"] or 0.0) for line in part),
                strict=True,
            )
        )
        middle = len(part) // 2
        text.append(
            f"| {key[0]} | {key[1]} | {key[2]} | {key[3]:.0%} | {len(part)} | "
            + " | ".join(str(counts[verdict]) for verdict in (Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.PASS))
            + f" | {slowdowns[middle]:+.1%} ({slowdowns[0]:+.1%} to {slowdowns[-1]:+.1%})"
            + f" | {noises[middle]:.1%} ({noises[-1]:.1%}) | {held_up[middle]:.1%} ({held_up[-1]:.1%})"
            + f" | {turns[middle]} |"
        )
    return "\n".join([*text, ""])


if __name__ == "__main__":
    main()
