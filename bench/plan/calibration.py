"""Decides which engines are defaults on this machine, by what a short calibration measured; and where that is kept."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

import bench
from bench.files.cache import write_whole
from bench.machine.environment import hardware_fingerprint, package_versions
from bench.plan.engines import default_engines, load_engines
from bench.plan.keys import content_hash
from bench.types import ClassifierKind, Precision, Recipe, Record

Family = Literal["encoder", "decoder", "network"]

REFERENCE = "eager"
# What may become a default beside the references. torch.compile is not asked: it compiles for about half a minute a
# classifier. Nor is openvino-int8, which is quantised for as long.
CANDIDATES = (
    "eager-bf16",
    "packed",
    "packed-bf16",
    "onnx",
    "openvino",
    "openvino-bf16",
    "ctranslate2",
    "onnx-int8",
    "ctranslate2-int8",
)
# For the built-in samples: an export of multilingual-e5-small takes 8 s a classifier, more than its measurement.
FEW_CANDIDATES = ("packed", "packed-bf16")
NOT_SLOWER = 1.02  # a smaller gain of a short look is noise
# Switches that make a library use a smaller instruction set than the processor has: another machine for our purpose.
ISA_SWITCHES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "CT2_FORCE_CPU_ISA")
OFF = "BENCH_CALIBRATION"  # "off": the defaults of a machine that nobody measured


class EngineSpeed(Record):
    """Texts/s of one engine on a family's calibration model; `reason` says why there are none.

    single: one text at a time, short and long ones by turns; short and long: everything at once.
    """

    engine: str
    precision: Precision
    single_rps: float | None = None
    short_rps: float | None = None
    long_rps: float | None = None
    load_s: float = 0.0
    convert_s: float = 0.0
    wall_s: float = 0.0
    reason: str | None = None

    @property
    def rates(self) -> tuple[float, ...]:
        """The three rates; empty where it could not be measured."""
        found = (self.single_rps, self.short_rps, self.long_rps)
        return () if None in found else tuple(rate for rate in found if rate is not None)


class Calibration(Record):
    """How fast this machine is on one family of models: `fit_tokens_per_s` in training, the engines in serving."""

    family: Family
    fit_tokens_per_s: float | None = None
    prepare_s: float = 0.0
    speeds: tuple[EngineSpeed, ...] = ()

    def of(self, engine: str) -> EngineSpeed | None:
        """What was measured of an engine."""
        return next((speed for speed in self.speeds if speed.engine == engine), None)

    def gains(self, engine: str) -> tuple[float, ...]:
        """How many times as fast as the reference: one by one, short texts at once, long texts at once."""
        reference, other = self.of(REFERENCE), self.of(engine)
        if reference is None or other is None:
            return ()
        return tuple(rate / usual for rate, usual in zip(other.rates, reference.rates, strict=False))


def family_of(kind: ClassifierKind, recipe: Recipe) -> Family | None:
    """The family whose calibration speaks for a classifier; None for what has one engine or none here."""
    if kind == "network":
        return "network"
    if kind in ("options", "generate") or (kind == "sequence" and recipe.role == "causal"):
        return "decoder"
    return "encoder" if kind in ("sequence", "embedding", "matching") else None


def families_of(recipe: Recipe) -> tuple[Family, ...]:
    """The families that a recipe's classifier may be of, before it is trained."""
    if recipe.method in ("network", "static"):
        return ("network",)
    if recipe.role is None and recipe.base_model is None:
        return ()
    return ("decoder",) if recipe.role == "causal" else ("encoder",)


def choose_defaults(calibration: Calibration, few: bool) -> tuple[str, ...]:
    """The reference, the fastest engine that keeps its precision, and unless `few` the int8 engine that beats it.

    Only engines that are slower than the reference at no end, by the geometric mean of their gains.
    """
    gains = {speed.engine: calibration.gains(speed.engine) for speed in calibration.speeds if speed.engine != REFERENCE}
    quick = {
        name: math.prod(gain) ** (1 / len(gain)) for name, gain in gains.items() if gain and min(gain) > NOT_SLOWER
    }
    exact = _best(quick, int8=False)
    coarse = None if few else _best(quick, int8=True)
    if coarse and exact and quick[coarse] < quick[exact]:
        coarse = None
    return (REFERENCE, *(name for name in (exact, coarse) if name))


def _best(gains: dict[str, float], int8: bool) -> str | None:
    names = [name for name in gains if (load_engines()[name].precision == "int8") is int8]
    return max(names, key=lambda name: gains[name], default=None)


def describe(calibration: Calibration, chosen: tuple[str, ...]) -> str:
    """One line a family: the engines chosen with their gains, and those left out with why."""
    kept = [f"{name} ({_gain(calibration, name)})" if name != REFERENCE else name for name in chosen]
    left = []
    for speed in calibration.speeds:
        if speed.engine in chosen:
            continue
        left.append(f"{speed.engine} ({speed.reason or _gain(calibration, speed.engine)})")
    not_chosen = f"; not: {', '.join(left)}" if left else ""
    return f"{calibration.family}s: {', '.join(kept)}{not_chosen}"


def _gain(calibration: Calibration, name: str) -> str:
    gains = calibration.gains(name)
    if not gains:
        return "not measured"
    return f"{gains[0]:.1f}x one by one, {min(gains[1:]):.1f}x to {max(gains[1:]):.1f}x at once"


# ---------------------------------------------------------------- the file in the cache


def is_off() -> bool:
    """Whether the user wants no calibration."""
    return os.environ.get(OFF, "").lower() == "off"


def calibration_path(cache: Path, family: Family, device: str, threads: int) -> Path:
    """Equal for the same machine, instruction set, threads, package versions and harness."""
    key = content_hash(
        {
            "hardware": hardware_fingerprint(),
            "switches": {name: os.environ.get(name) for name in ISA_SWITCHES},
            "versions": package_versions(),
            "place": [device, threads],
            "harness": bench.__version__,
        }
    )
    return cache / "calibration" / f"{family}-{key[:16]}.json"


def read_calibration(cache: Path, family: Family, device: str, threads: int) -> Calibration:
    """What is known of a family; without speeds where nothing is."""
    try:
        return Calibration.model_validate_json(calibration_path(cache, family, device, threads).read_bytes())
    except (OSError, ValidationError):
        return Calibration(family=family)


def known_defaults(cache: Path, device: str, threads: int) -> tuple[str, ...]:
    """The default engines as far as calibrations have chosen them here; the fixed list where none has."""
    known = [read_calibration(cache, family, device, threads) for family in get_args(Family)]
    chosen = [name for one in known if len(one.speeds) > 1 for name in choose_defaults(one, few=False)]
    if not chosen or is_off():
        return default_engines(device)
    return tuple(dict.fromkeys([*chosen, *(name for name, spec in load_engines().items() if spec.reference)]))


def store_calibration(cache: Path, calibration: Calibration, device: str, threads: int) -> None:
    """Keep it for the next run on this machine."""
    path = calibration_path(cache, calibration.family, device, threads)
    write_whole(path, calibration.model_dump_json(indent=1).encode("utf-8"))
