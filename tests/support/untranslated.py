"""What is left in English on a Chinese page, once its data is taken away."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import reduce

from bench.results.published import published_figures
from bench.results.records import StoredRun
from reports.content.results import tasks_of
from reports.content.standing import standing_of
from reports.html.page import vendored_files
from reports.render.markdown import clean
from reports.render.words import catalogue

LATIN = re.compile(r"[A-Za-z]{2,}")
AMOUNT = re.compile(r"\d[\d.,]*\s?(?:ms|min|s|h|kB|MB|GB|x)(?![a-z])")


def data_of(run: StoredRun) -> set[str]:
    """What a page shows and nobody translates: names, reasons, versions, published systems."""
    found = {"Python", run.settings.tier, run.settings.models, run.settings.device, *vendored_files()}
    for row in run.results:
        cell, card = row.cell, row.data
        base = cell.base_model or ""
        found |= {cell.recipe, cell.method, cell.engine or "", cell.precision or "", base, base.rsplit("/", 1)[-1]}
        found |= {cell.variant_of or "", cell.variant or "", row.reason or "", cell.task, cell.stands_for or ""}
        found |= {card.title, card.source.name, card.source.note or "", card.source.licence or "", *card.notes}
        found |= {card.fingerprint, card.source.revision or "", *card.class_names}
        found |= {(row.parity.reference if row.parity else ""), *(row.load[name].tier for name in row.load)}
    found |= {text for figure in published_figures() for text in (figure.system, figure.hardware, figure.source)}
    found |= set(_strings(json.loads(json.dumps(run.environment))))
    found |= {letters for task in tasks_of(run) for letters in standing_of(task).letters.values() if len(letters) > 1}
    return found | {text[:12] for text in found if re.fullmatch("[0-9a-f]{13,}", text)}


def _strings(content: object) -> Iterator[str]:
    """Every string of a JSON document, keys included: package names are keys."""
    if isinstance(content, dict):
        yield from content
        content = list(content.values())
    if isinstance(content, list):
        for each in content:
            yield from _strings(each)
    elif isinstance(content, str):
        yield content


def english_left(texts: Iterable[str], data: Iterable[str]) -> set[str]:
    """Latin words of the texts that are neither data nor words that the Chinese catalogue itself uses."""
    known, kept = sorted(map(clean, set(data) - {""}), key=len, reverse=True), _kept_words()
    left = set()
    for text in set(texts):
        ours = AMOUNT.sub(" ", reduce(lambda rest, each: rest.replace(each, " "), known, html.unescape(text)))
        left |= {word for word in LATIN.findall(ours) if word not in kept}
    return left


def _kept_words() -> set[str]:
    """Latin words in the catalogue's Chinese, but for those in its commands."""
    spoken = [re.sub(r"\{.*?\}", "", value) for value in catalogue("zh").values() if "--" not in value]
    return {word for value in spoken for word in LATIN.findall(value)}
