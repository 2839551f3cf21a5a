"""Says where a table's figures come from: data, machine, versions, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.results.records import Result, RunSettings, StoredRun
from bench.types import DataCard, Source
from reports.render.words import joined, message

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
        return message("{title}: built-in sample, not comparable with any published figure", title=data.title)
    return data.title


def provenance(data: DataCard, settings: RunSettings, environment: Mapping[str, Any]) -> tuple[str, ...]:
    """One line each about data, its notes, every machine and its software, and the run."""
    run: list[str] = [
        message(
            "Run: tier {tier}; models {models}; training seeds: {seeds}",
            tier=settings.tier,
            models=settings.models,
            seeds=settings.seeds,
        )
    ]
    if settings.limit:
        run.append(f"--limit {settings.limit:,}")
    return (
        message(
            "Data: {source}; {sizes}; fingerprint {fingerprint}; licence: {licence}",
            source=_source(data.source),
            sizes=_sizes(data),
            fingerprint=data.fingerprint[:SHORT],
            licence=data.source.licence or message("not stated"),
        ),
        *data_notes(data),
        *_machines(settings, environment),
        joined("; ", run),
    )


def data_notes(data: DataCard) -> tuple[str, ...]:
    """What a reader must know of the texts before believing a figure."""
    notes = (*([data.source.note] if data.source.note else []), *data.notes)
    return tuple(message("Note: {note}", note=message(note)) for note in notes)


def lead(data: DataCard, rows: int, settings: RunSettings, environment: Mapping[str, Any]) -> str:
    """Rows, test texts, source and machine in a line."""
    machines = environment.get("machines") or [environment]
    parts = (
        message("{rows:,} results", rows=rows),
        _part(data.sizes.test, data.full_sizes.test, message("test")),
        _source(data.source),
        _served(machines[0], settings) if len(machines) == 1 else message("{count} machines", count=len(machines)),
    )
    return joined(" · ", parts)


def machine_of(run: StoredRun, result: Result) -> str | None:
    """The result's machine in a merged run, else the run's hardware fingerprint, shortened; None where unknown."""
    fingerprint = run.environment.get("hardware_sha256")
    return result.cell.machine or (fingerprint[:SHORT] if fingerprint else None)


def _machines(settings: RunSettings, environment: Mapping[str, Any]) -> Iterator[str]:
    """A merged run has several machines, each with its own software; a plain one has its own."""
    for machine in environment.get("machines") or [environment]:
        yield message(
            "Machine{name}: {machine}",
            name=f" {machine['machine']}" if machine.get("machine") else "",
            machine=_served(machine, settings, with_fingerprint=True),
        )
        yield message("Software: {software}", software=_software(machine))
        yield message("Self-test: {selftest}", selftest=_selftest(machine))


def _source(source: Source) -> str:
    at = message(" at {revision}", revision=source.revision[:SHORT]) if source.revision else ""
    return message("{kind} {name}{at}", kind=message(_SOURCES[source.kind]), name=source.name, at=at)


def _sizes(data: DataCard) -> str:
    parts = (
        _part(data.sizes.test, data.full_sizes.test, message("test")),
        _part(data.sizes.train, data.full_sizes.train, message("training")),
        _part(data.sizes.validation, data.full_sizes.validation, message("validation")),
    )
    return joined(", ", parts)


def _part(used: int, full: int, what: str) -> str:
    if used >= full:
        return message("all {used:,} {what} texts", used=used, what=what)
    return message("{used:,} of {full:,} {what} texts (stratified)", used=used, full=full, what=what)


def _served(machine: Mapping[str, Any], settings: RunSettings, with_fingerprint: bool = False) -> str:
    return message(
        "{machine}; {device}, {threads} threads for every engine",
        machine=_machine(machine, with_fingerprint),
        device=machine.get("device") or settings.device,
        threads=machine.get("threads") or settings.threads,
    )


def _machine(environment: Mapping[str, Any], with_fingerprint: bool) -> str:
    cpu = environment.get("cpu") or {}
    memory, foreign = environment.get("memory_bytes"), environment.get("foreign_gpu_processes")
    parts: list[str] = [cpu.get("model") or message("CPU not known")]
    if cpu.get("cores"):
        parts.append(message("{cores} cores", cores=cpu["cores"]))
    if cpu.get("features"):
        parts.append(" ".join(cpu["features"]))
    if memory:
        parts.append(message("{size:.1f} GB memory", size=memory / 1e9))
    parts += [
        message("{name} (driver {driver})", name=gpu.get("name"), driver=gpu.get("driver_version"))
        for gpu in environment.get("gpus") or ()
    ]
    if foreign:
        parts.append(message("{count} other GPU processes when it began", count=foreign))
    if with_fingerprint and environment.get("hardware_sha256"):
        parts.append(message("fingerprint {fingerprint}", fingerprint=environment["hardware_sha256"][:SHORT]))
    return joined(", ", parts)


def _selftest(environment: Mapping[str, Any]) -> str:
    last = environment.get("selftest")
    if not last:
        return message("not run with this version on this machine (bench selftest)")
    commit = f" (git {last['commit'][:SHORT]})" if last.get("commit") else ""
    return message(
        "{verdict}, {checks} checks, {date}, harness {harness}{commit}",
        verdict=message("passed") if last["passed"] else message("FAILED in {failed}", failed=last["failed"]),
        checks=last["checks"],
        date=last["finished_at"][:10],
        harness=last["harness"],
        commit=commit,
    )


def _software(environment: Mapping[str, Any]) -> str:
    git = environment.get("git") or {}
    commit: str = f"git {git['commit'][:SHORT]}" if git.get("commit") else message("not a git checkout")
    if git.get("dirty"):
        commit = message("{commit} with uncommitted changes", commit=commit)
    versions = environment.get("packages") or {}
    harness = message("harness {version} ({commit})", version=environment.get("harness"), commit=commit)
    packages = [f"{name} {version}" for name, version in versions.items() if version]
    return joined(", ", [harness, f"Python {environment.get('python')}", *packages])
