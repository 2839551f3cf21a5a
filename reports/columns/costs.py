"""Tells what a result costs: to train, to hold in memory, to store, to load and to serve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.types import FitRecord
from reports.columns.column import Layouts, Place, ResultColumn, Told
from reports.render import figures
from reports.render.table import Column, numbers
from reports.render.words import message


def _of_fit(name: str) -> Callable[[Told], Any]:
    return lambda told: getattr(told.fit, name, None)


def _of_session(name: str) -> Callable[[Told], Any]:
    return lambda told: getattr(told.result.session, name, None)


def _trainable_share(told: Told) -> float | None:
    fit = told.fit
    if fit is None or not fit.total_parameters or fit.trainable_parameters is None:
        return None
    return min(1.0, fit.trainable_parameters / fit.total_parameters)


def training_rate(fit: FitRecord | None) -> float | None:
    """Texts a second over all steps, as the training time is; None where nothing was trained in steps."""
    if fit is None or not fit.alone_s or not fit.examples or not fit.steps or not fit.epochs:
        return None
    return fit.examples * fit.epochs / fit.alone_s


def _total_s(told: Told) -> float | None:
    fit, predict_s = told.fit, told.result.predict_s
    if fit is None or fit.alone_s is None or predict_s is None:
        return None
    return fit.alone_s + fit.evaluate_s + fit.tokenise_s + predict_s


def _predict_texts(told: Told) -> int | None:
    return told.result.test_items if told.result.predict_s is not None else None


def text_s(told: Told) -> float | None:
    """Seconds to answer a test text, all given at once; None where nobody took the time."""
    result = told.result
    return result.predict_s / result.test_items if result.predict_s and result.test_items else None


_OF_TRAINING = (
    ResultColumn("training_fit_s", _of_fit("alone_s"), numbers("training"), figures.duration),
    ResultColumn("training_evaluate_s", _of_fit("evaluate_s"), numbers("evaluate"), figures.duration),
    ResultColumn("training_tokenise_s", _of_fit("tokenise_s"), numbers("tokenise"), figures.duration),
    ResultColumn(
        "training_rate", lambda told: training_rate(told.fit), numbers("training rate", "texts/s"), figures.number
    ),
    ResultColumn("training_steps", _of_fit("steps")),
    ResultColumn("training_chosen_step", _of_fit("chosen_step")),
    ResultColumn("training_epochs", _of_fit("epochs"), numbers("epochs"), figures.number),
    ResultColumn("training_examples", _of_fit("examples"), numbers("trained on", "texts"), figures.count),
    ResultColumn("training_trainable_parameters", _of_fit("trainable_parameters")),
    ResultColumn(
        "training_total_parameters",
        _of_fit("total_parameters"),
        numbers("size", "M params"),
        lambda total: figures.number(total / 1e6 if total else None),
    ),
    ResultColumn("training_trainable_share", _trainable_share, numbers("trainable"), figures.percent),
    ResultColumn("training_saved_bytes", _of_fit("saved_bytes"), numbers("to keep"), figures.size),
    ResultColumn("training_peak_bytes", _of_fit("peak_bytes"), numbers("training memory"), figures.size),
)

_OF_SERVING = (
    ResultColumn("load_s", _of_session("load_s"), numbers("load"), figures.duration),
    ResultColumn("convert_s", _of_session("convert_s"), numbers("convert"), figures.duration),
    ResultColumn("device", _of_session("device")),
    ResultColumn("threads", _of_session("threads")),
    ResultColumn(
        "artifact_bytes",
        _of_session("artifact_bytes"),
        numbers("size"),
        figures.size,
        explained=message("what the engine loads from disk"),
    ),
    ResultColumn(
        "peak_rss_bytes",
        _of_session("peak_rss_bytes"),
        numbers("memory"),
        figures.size,
        explained=message("peak of the serving process"),
    ),
    ResultColumn("peak_rss_missing", _of_session("peak_rss_missing")),
    ResultColumn("peak_device_bytes", _of_session("peak_device_bytes"), numbers("GPU memory"), figures.size),
    ResultColumn("predict_s", lambda told: told.result.predict_s, numbers("inference"), figures.duration),
    ResultColumn("predict_texts", _predict_texts, numbers("texts"), figures.count),
    ResultColumn("predict_text_s", text_s, numbers("a text"), figures.duration),
    ResultColumn("total_s", _total_s, numbers("total"), figures.duration),
)

COLUMNS = (*_OF_TRAINING, *_OF_SERVING)

LAYOUTS: Layouts = {
    "costs": (
        Place("classifier"),
        Place("engine"),
        Place("answers", from_width=90, instead=False),
        Place("training_fit_s", from_width=90),
        Place("training_peak_bytes", from_width=90),
        Place("peak_rss_bytes"),
        Place("peak_device_bytes", optional=True),
        Place("artifact_bytes"),
        Place("load_s"),
        Place("convert_s"),
        Place("offline_price_per_million", numbers("1M texts offline", "price"), optional=True),
        Place("single_price_per_million", numbers("1M texts single", "price"), optional=True),
    ),
    "times": (
        Place("classifier"),
        Place("training_epochs"),
        Place("training_fit_s"),
        Place("training_evaluate_s"),
        Place("training_tokenise_s"),
        Place("predict_s"),
        Place("predict_texts", from_width=100),
        Place("engine", Column("on engine")),
        Place("total_s"),
    ),
    "methods": (
        Place("classifier"),
        Place("base_model", from_width=110),
        Place("training_trainable_share"),
        Place("training_saved_bytes"),
        Place("training_fit_s"),
        Place("training_rate", from_width=100),
    ),
    "methods_rates": (
        Place("offline_rate_rps", numbers("offline", "texts/s"), instead=False),
        Place("single_rate_rps", numbers("single", "req/s"), from_width=90, instead=False),
        Place("engine", from_width=100),
    ),
    "methods_quality": (Place("macro_f1"),),
    "classifiers": (
        Place("classifier"),
        Place("method", from_width=100),
        Place("base_model", show=str),
        Place("base_origin", from_width=130),
        Place("training_examples"),
        Place("training_total_parameters"),
        Place("training_trainable_share", from_width=90),
    ),
    "thinking": (
        Place("classifier"),
        Place("base_model"),
        Place("accuracy"),
        Place("macro_f1"),
        Place("valid_share"),
        Place("n"),
        Place("predict_text_s"),
    ),
}
