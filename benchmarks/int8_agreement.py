"""How often int8 engines give fp32's label: weights of 8 bits and of 7, on a CPU with VNNI and on one without.

    BENCH_DATA=DIR python benchmarks/int8_agreement.py [--texts 300] [--slow-texts 40]

MiniLM and e5-small with a frozen head, SmolLM2 by zero-shot option scoring; without --data or BENCH_DATA on the
packaged suites. The CPU without VNNI is played: for CTranslate2 and OpenVINO by oneDNN's own switch; ONNX Runtime has
none and computes under qemu-x86_64 as on a Haswell (apt-get install qemu-user), on the first --emulated texts, or not
at all.
Answers depend on no timing, so the machine may be busy. Rows are written as they come.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench import registry
from bench.classifiers.folder import load_classifier
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.files.cache import cache_dir
from bench.machine.companions import hide_unfit_companions
from bench.machine.environment import cpu_card, package_versions
from bench.machine.instructions import PLAYED, play_smaller_cpu
from bench.machine.precision import sums_int8_in_32_bits
from bench.machine.threads import set_threads
from bench.models.base import base_weights
from bench.plan.engines import load_engines
from bench.plan.recipes import recipes_for
from bench.types import Dataset, Workplace

EXAMPLES = 256
HASWELL = ("qemu-x86_64", "-cpu", "Haswell,-x2apic,-tsc-deadline,-hle,-invpcid,-rtm,-pcid")
HEAD = (
    "| model | texts | engine | weights | CPU | equal labels | largest probability difference | accuracy |",
    "|---|---|---|---|---|---:|---:|---:|",
)


@dataclass(frozen=True)
class Subject:
    """A classifier of the table: what made it, the suite it is of, the engines that serve it in int8."""

    title: str
    base: str
    recipe: str
    suite: str
    engines: tuple[str, ...]
    slow: bool = False


SUBJECTS = (
    Subject("MiniLM", "minilm", "frozen-head", "agnews", ("onnx-int8", "openvino-int8", "ctranslate2-int8")),
    Subject("e5-small", "e5-small", "frozen-head", "weibo", ("onnx-int8", "openvino-int8", "ctranslate2-int8")),
    Subject("SmolLM2-135M", "smollm2-135m", "zero-shot", "agnews", ("onnx-int8", "openvino-int8"), slow=True),
)


@dataclass(frozen=True)
class Answering:
    """One engine's answers: fields are what its process is told."""

    classifier: str
    data: str
    engine: str
    bits: int | None
    texts: int
    target: str


def main() -> None:
    hide_unfit_companions()
    arguments = _parser().parse_args()
    if arguments.answer:
        answer(Answering(**json.loads(arguments.answer)))
        return
    set_threads(arguments.threads)
    lines = list(HEAD)
    with tempfile.TemporaryDirectory() as scratch:
        for subject in SUBJECTS:
            if not arguments.models or subject.title in arguments.models:
                for line in rows(subject, Path(scratch) / subject.base, arguments):
                    lines.append(line)
                    print(line, flush=True)
                    arguments.out.write_text("\n".join([*_head(arguments), *lines]) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder of data sets; default BENCH_DATA")
    parser.add_argument("--models", nargs="*", help=f"of {', '.join(subject.title for subject in SUBJECTS)}")
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--slow-texts", type=int, default=40, help="for the language model")
    parser.add_argument("--emulated", type=int, default=60, help="texts through the emulated CPU; a third for SmolLM2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    return parser


# ---------------------------------------------------------------- one model


def rows(subject: Subject, scratch: Path, arguments: argparse.Namespace) -> Iterator[str]:
    """The lines of one model, each engine with 8 and 7 bits on both CPUs."""
    data = prepare_dataset(load_suite(subject.suite), arguments.data, Limits(train=1000), None)
    count = min(arguments.slow_texts if subject.slow else arguments.texts, len(data.test))
    classifier = _train(subject, data, scratch / "classifier", arguments.threads)
    texts = scratch / "texts.json"
    texts.write_text(json.dumps([list(data.test.texts[:count]), list(data.train.texts[:EXAMPLES])]), encoding="utf-8")

    def answers(
        engine: str, bits: int | None, size: int, before: tuple[str, ...] = (), played: bool = False
    ) -> np.ndarray:
        target = scratch / "answers.npy"
        spec = Answering(str(classifier), str(texts), engine, bits, size, str(target))
        environment = os.environ | ({PLAYED: "AVX2"} if played else {})
        command = [*before, sys.executable, __file__, "--answer", json.dumps(spec.__dict__)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found: np.ndarray = np.load(target)
        return found

    expected, labels = answers("eager", None, count), data.test.labels[:count]
    yield _row(subject, count, ("eager", "fp32", "any"), expected, expected, labels)
    for engine in subject.engines:
        for bits in (8, 7):
            who = (engine, f"{bits} bits", _native())
            yield _row(subject, count, who, answers(engine, bits, count), expected, labels)
        for bits in (8, 7):
            emulated = engine == "onnx-int8"
            if emulated and not shutil.which(HASWELL[0]):
                continue
            size = min(count, arguments.emulated // (3 if subject.slow else 1)) if emulated else count
            found = answers(engine, bits, size, HASWELL if emulated else (), played=True)
            who = (engine, f"{bits} bits", "AVX2, emulated" if emulated else "AVX2, played")
            yield _row(subject, size, who, found, expected[:size], labels[:size])


def _train(subject: Subject, data: Dataset, folder: Path, threads: int) -> Path:
    recipe = next(recipe for recipe in recipes_for("small") if recipe.id == subject.recipe)
    folder.mkdir(parents=True)
    place = Workplace("cpu", threads, cache_dir())
    trainer = registry.find("trainer", recipe.method)(recipe, base_weights(subject.base, None), place)
    trainer.fit(data, 0, folder, lambda *_: None)
    return folder


def answer(told: Answering) -> None:
    """In a process of its own: load one engine and write its probabilities, float32 (n, k)."""
    play_smaller_cpu()
    set_threads(1)
    texts, examples = json.loads(Path(told.data).read_text(encoding="utf-8"))
    spec = load_engines()[told.engine]
    if told.bits:
        spec = spec.model_copy(update={"options": {**spec.options, "weight_bits": told.bits}})
    backend = registry.find("backend", spec.backend)(spec, Workplace("cpu", 1, cache_dir()))
    session = backend.load(replace(load_classifier(Path(told.classifier)), examples=tuple(examples)))
    np.save(told.target, session.predict(texts[: told.texts]).probabilities)
    session.close()


# ---------------------------------------------------------------- the table


def _native() -> str:
    return "VNNI" if sums_int8_in_32_bits() else "no VNNI"


def _row(
    subject: Subject,
    count: int,
    who: tuple[str, str, str],
    found: np.ndarray,
    expected: np.ndarray,
    labels: np.ndarray,
) -> str:
    equal = (found.argmax(axis=1) == expected.argmax(axis=1)).mean()
    right = (found.argmax(axis=1) == labels).mean()
    difference = np.abs(found - expected).max()
    cells = (subject.title, f"{count} {subject.suite}", *who, f"{equal:.1%}", f"{difference:.3f}", f"{right:.1%}")
    return f"| {' | '.join(cells)} |"


def _head(arguments: argparse.Namespace) -> list[str]:
    versions = package_versions()
    libraries = ", ".join(f"{name} {versions[name]}" for name in ("onnxruntime", "openvino", "ctranslate2"))
    return [
        "# int8 against fp32, with VNNI and without",
        "",
        f"Made by `BENCH_DATA=DIR python benchmarks/int8_agreement.py --texts {arguments.texts} "
        f"--slow-texts {arguments.slow_texts} --emulated {arguments.emulated}` on {cpu_card()['model']}; {libraries}. "
        "Equal labels: with eager fp32 on the same texts. What each play of an AVX2 CPU does: docs/cpus.md. "
        "`bench run` takes 8 bits with VNNI and 7 without.",
        "",
    ]


if __name__ == "__main__":
    main()
