"""Lists the cells of a trained classifier: one an engine that serves it, or the result that says why one does not."""

from __future__ import annotations

from bench.execution.autotune import Tuned, search_settings
from bench.execution.cells import Entry, failed_result, new_cell
from bench.execution.context import Context
from bench.execution.training import Trained
from bench.plan.calibration import family_of
from bench.plan.engines import backend_of, reference_engine
from bench.plan.keys import cell_key
from bench.results.records import Result, Status
from bench.types import ClassifierKind, EngineSpec

NO_ENDPOINT = "its model is behind an endpoint; name it with --endpoint URL --endpoint-model NAME"


def entries_of(context: Context, trained: Trained) -> list[Entry | Result]:
    """One entry an engine that serves the classifier, the reference engine's first; skipped engines as their result."""
    kind = trained.classifier.kind
    reference_spec = reference_engine(kind)
    chosen = context.plan.engines_of(family_of(kind, trained.recipe))
    if reference_spec is None:
        return _entries_without_reference(context, trained)
    settings = _settings(context, trained, reference_spec)
    usual = Tuned(reference_spec, context.plan.threads)
    reference = _entry(context, trained, settings.get(reference_spec.name, usual), listed=reference_spec in chosen)
    entries: list[Entry | Result] = [reference]
    for engine in chosen:
        if engine == reference_spec:
            continue
        if kind in backend_of(engine).kinds:
            tuned = settings.get(engine.name)
            reason = tuned.left_out if tuned else _unavailable(engine, context.plan.device)
            entries.append(
                _entry(context, trained, tuned, reference.cell.id)
                if tuned and not reason
                else _skip(trained, engine, str(reason))
            )
        elif context.plan.engines_were_chosen:
            entries.append(_skip(trained, engine, _why_unserved(engine, kind)))
    return entries


def _entries_without_reference(context: Context, trained: Trained) -> list[Entry | Result]:
    """One entry an engine that serves what no engine here holds the weights of; where none does, a result says so."""
    serving = [engine for engine in context.plan.engines if trained.classifier.kind in backend_of(engine).kinds]
    if not serving:
        return [_skip(trained, None, NO_ENDPOINT)]
    settings = _settings(context, trained, None)
    return [
        _entry(context, trained, settings[engine.name])
        if engine.name in settings
        else _skip(trained, engine, str(_unavailable(engine, context.plan.device)))
        for engine in serving
    ]


def _settings(context: Context, trained: Trained, reference: EngineSpec | None) -> dict[str, Tuned]:
    """How every engine that serves the classifier here is loaded: as engines.toml says, or as the search found."""
    plan = context.plan
    serving = [
        engine
        for engine in plan.engines_of(family_of(trained.classifier.kind, trained.recipe))
        if trained.classifier.kind in backend_of(engine).kinds and not _unavailable(engine, plan.device)
    ]
    if plan.autotune:
        return search_settings(context, trained, reference, serving)
    return {engine.name: Tuned(engine, plan.threads) for engine in serving}


def _entry(
    context: Context, trained: Trained, tuned: Tuned, reference_id: str | None = None, listed: bool = True
) -> Entry:
    """Without a `reference_id` a reference engine's cell is its own reference, and any other has none."""
    task, engine = trained.task, tuned.engine
    scenarios = context.plan.scenarios if listed else ()
    items = task.tier.items_for(
        trained.classifier.kind, len(task.data.test), trained.recipe.weights, len(task.data.class_names)
    )
    key = cell_key(
        trained.classifier, task.data, items, engine, task.tier, scenarios, context.plan.device, tuned.threads
    )
    cell = new_cell(task.data, trained.recipe, _model_name(trained, engine), trained.seed, engine, key)
    return Entry(
        cell=cell,
        task=task,
        classifier=trained.classifier,
        engine=engine,
        items=items,
        scenarios=scenarios,
        reference_id=reference_id or (cell.id if engine.reference else None),
        listed=listed,
        threads=tuned.threads,
        tuning=tuned.tuning,
    )


def _model_name(trained: Trained, engine: EngineSpec | None) -> str | None:
    """The base model; a classifier without one is what the model that an endpoint's options name makes of it."""
    return trained.base_name or (engine.options.get("model") if engine else None)


def _skip(trained: Trained, engine: EngineSpec | None, reason: str) -> Result:
    key = f"{trained.classifier.sha256[:6]}skipped"
    cell = new_cell(trained.task.data, trained.recipe, _model_name(trained, engine), trained.seed, engine, key)
    return failed_result(cell, trained.task.data.card, Status.SKIPPED, reason)


def _why_unserved(engine: EngineSpec, kind: ClassifierKind) -> str:
    """The backend's own reason, where it has one."""
    return backend_of(engine).unserved.get(kind, f"{engine.name} does not serve {kind} classifiers")


def _unavailable(engine: EngineSpec, device: str) -> str | None:
    available = backend_of(engine).availability(engine, device)
    return None if available.ok else available.reason
