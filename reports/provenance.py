"""Where a table's figures come from: data, machine, versions, settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.results import RunSettings
from bench.types import DataCard, Source

SHORT = 12
_SOURCES = {
    "local": "local files",
    "hub-cache": "Hugging Face cache",
    "hub": "Hugging Face hub",
    "package": "packaged data",
    "sample": "built-in sample",
}


def title(data: DataCard) -> str:
    """The task's title; a sample says what it is."""
    if data.source.kind == "sample":
        return f"{data.title}: built-in sample, not comparable with any published figure"
    return data.title


def provenance(data: DataCard, settings: RunSettings, environment: Mapping[str, Any]) -> tuple[str, ...]:
    """One line each about data, its notes, machine, software and run."""
    return (
        f"Data: {_source(data.source)}; {_sizes(data)}; fingerprint {data.fingerprint[:SHORT]}; "
        f"licence: {data.source.licence or 'not stated'}",
        *(f"Note: {note}" for note in (*([data.source.note] if data.source.note else []), *data.notes)),
        f"Machine: {_machine(environment)}; {settings.device}, {settings.threads} threads for every engine",
        f"Software: {_software(environment)}",
        f"Self-test: {_selftest(environment)}",
        f"Run: tier {settings.tier}; models {settings.models}; training seeds: {settings.seeds}"
        + (f"; --limit {settings.limit:,}" if settings.limit else ""),
    )


def _source(source: Source) -> str:
    revision = f" at {source.revision[:SHORT]}" if source.revision else ""
    return f"{_SOURCES[source.kind]} {source.name}{revision}"


def _sizes(data: DataCard) -> str:
    parts = (
        _part(data.sizes.test, data.full_sizes.test, "test"),
        _part(data.sizes.train, data.full_sizes.train, "training"),
        _part(data.sizes.validation, data.full_sizes.validation, "validation"),
    )
    return ", ".join(parts)


def _part(used: int, full: int, what: str) -> str:
    if used >= full:
        return f"all {used:,} {what} texts"
    return f"{used:,} of {full:,} {what} texts (stratified)"


def _machine(environment: Mapping[str, Any]) -> str:
    cpu = environment.get("cpu") or {}
    memory = environment.get("memory_bytes")
    parts = [str(cpu.get("model") or "CPU not known")]
    if cpu.get("cores"):
        parts.append(f"{cpu['cores']} cores")
    if cpu.get("features"):
        parts.append(" ".join(cpu["features"]))
    if memory:
        parts.append(f"{memory / 1e9:.1f} GB memory")
    parts += [f"{gpu.get('name')} (driver {gpu.get('driver_version')})" for gpu in environment.get("gpus") or ()]
    if environment.get("foreign_gpu_processes"):
        parts.append(f"{environment['foreign_gpu_processes']} other GPU processes when it began")
    if environment.get("hardware_sha256"):
        parts.append(f"fingerprint {environment['hardware_sha256'][:SHORT]}")
    return ", ".join(parts)


def _selftest(environment: Mapping[str, Any]) -> str:
    last = environment.get("selftest")
    if not last:
        return "not run with this version on this machine (bench selftest)"
    verdict = "passed" if last["passed"] else f"FAILED in {last['failed']}"
    commit = f" (git {last['commit'][:SHORT]})" if last.get("commit") else ""
    return f"{verdict}, {last['checks']} checks, {last['finished_at'][:10]}, harness {last['harness']}{commit}"


def _software(environment: Mapping[str, Any]) -> str:
    git = environment.get("git") or {}
    commit = f"git {git['commit'][:SHORT]}" if git.get("commit") else "not a git checkout"
    dirty = " with uncommitted changes" if git.get("dirty") else ""
    versions = environment.get("packages") or {}
    packages = [f"{name} {version}" for name, version in versions.items() if version]
    return ", ".join(
        [f"harness {environment.get('harness')} ({commit}{dirty})", f"Python {environment.get('python')}", *packages]
    )
