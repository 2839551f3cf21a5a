"""Writes the leaderboard as one HTML file that needs no network: a table, plots, and the texts worth reading."""

from __future__ import annotations

import json
import re
import tomllib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from bench import __version__
from bench.results.records import Evidence
from reports.content.results import TaskResults
from reports.content.standing import Standing
from reports.export.records import json_able
from reports.html.charts import FEWEST_LATENCIES, curves_record, latency_record, matrices_record, scores_record
from reports.html.items import flips_record, hardest_record
from reports.html.rows import ordered_cells, page_points, page_table, scenario_record, scenarios_of
from reports.html.server import server_record
from reports.render.markdown import clean
from reports.render.table import Table
from reports.render.words import ENGLISH, catalogue, message, say

WEB = files("reports") / "web"
SCRIPTS = (
    "words",
    "dom",
    "table",
    "leaderboard",
    "trade_off",
    "latency",
    "server",
    "curves",
    "look",
    "items",
    "across",
    "main",
)
_PLOT_CLASS = "plot"  # the class that trade_off.js and the others give their plots


@dataclass(frozen=True)
class PageTask:
    """One task as the other forms of the report show it, and what their tables were made of."""

    title: str
    lead: str
    provenance: tuple[str, ...]
    rankings: tuple[str, ...]
    tables: tuple[Table, ...]
    task: TaskResults
    standing: Standing


def render_page(
    tasks: Sequence[PageTask], evidence: Evidence, language: str = ENGLISH, across: dict[str, Any] | None = None
) -> str:
    """The whole page; everything of the run stands in it as JSON, which its scripts show as text."""
    title = clean(tasks[0].title if len(tasks) == 1 else ", ".join(each.task.data.title for each in tasks))
    data = {
        "title": title,
        "tasks": [_task(each, evidence, language) for each in tasks],
        "across": across,
        "footer": say(_footer(), language),
        "words": {} if language == ENGLISH else catalogue(language),
    }
    scripts = [
        *_vendor(),
        f'(() => {{\n"use strict";\n{"".join(_own(f"{name}.js") for name in SCRIPTS)}}})();\n',
    ]
    style = _own("page.css")
    return Template(_own("page.html")).substitute(
        policy=_policy(scripts, [style, _plot_style(scripts)]),
        version=escape(__version__),
        language=language,
        title=escape(say(message("{title}: text classifiers compared", title=title), language)),
        without_scripts=escape(say(_without_scripts(), language)),
        style=style,
        data=embedded_json(data),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def embedded_json(data: Any) -> str:
    """JSON that no HTML parser can see an end tag, a comment or markup in."""
    text = json.dumps(json_able(data), ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _task(page: PageTask, evidence: Evidence, language: str) -> dict[str, Any]:
    task, standing = page.task, page.standing
    scenarios = scenarios_of(task)
    results = [result for _, result in ordered_cells(task, standing)]
    texts = evidence.texts(task.data.fingerprint)
    return {
        "title": clean(page.title),
        "name": clean(task.data.title),
        "lead": clean(page.lead),
        "comparable": task.data.source.kind != "sample",
        "provenance": [clean(line) for line in page.provenance],
        "rankings": [clean(line) for line in page.rankings],
        "classes": [clean(name) or say("(empty)", language) for name in task.data.class_names],
        "scenarios": [scenario_record(key, language) for key in scenarios],
        "table": page_table(task, standing, scenarios, language),
        "points": page_points(task, standing, scenarios),
        "latencies": {key: latency_record(results, key, evidence.latencies_ns) for key in scenarios},
        "fewest": FEWEST_LATENCIES,
        "server": server_record(results),
        "curves": curves_record(task, language),
        "scores": scores_record(task, standing, language),
        "matrices": matrices_record(results),
        "hardest": hardest_record(task, texts),
        "flips": flips_record(task, texts),
        "tables": [table_record(table) for table in page.tables],
    }


def table_record(table: Table) -> dict[str, Any]:
    """A table as the page's scripts read it, without control characters."""
    return {
        "title": clean(table.title),
        "columns": [
            {"name": clean(column.name), "unit": column.unit, "numeric": column.align == "right"}
            for column in table.columns
        ],
        "rows": [[clean(cell) for cell in row] for row in table.rows],
        "notes": [clean(note) for note in table.notes],
    }


def _own(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def vendored_files() -> dict[str, dict[str, str]]:
    """The embedded libraries: name -> version, package, file, licence, sha256."""
    return tomllib.loads(_own("vendor/vendor.toml"))


def _vendor() -> list[str]:
    """Each library's file as it was published, its licences before it."""
    libraries = vendored_files().values()
    return [f"/*!\n{_own('vendor/' + each['licence'])}*/\n{_own('vendor/' + each['file'])}" for each in libraries]


def _footer() -> str:
    return message(
        "Made by bench {version}. Drawn with {libraries}; their licences stand in this file.",
        version=__version__,
        libraries=_credits(),
    )


def _without_scripts() -> str:
    return message("This page needs JavaScript. The same tables stand in the markdown file beside it.")


def _credits() -> str:
    return ", ".join(f"{name} {each['version']}" for name, each in vendored_files().items())


def _plot_style(scripts: Sequence[str]) -> str:
    """The style sheet that Observable Plot writes into each of its pictures; the policy has to know it."""
    found = re.search(
        r'append\("style"\)\.text\(`(:where\(\.\$\{(\w+)\}\) \{\\n  --plot-background.*?)`\)', "\n".join(scripts)
    )
    if found is None:
        raise ValueError("the embedded Observable Plot writes its style in another way than this page knows")
    return found[1].replace(f"${{{found[2]}}}", _PLOT_CLASS).replace("\\n", "\n")


def _policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """Nothing but the page's own scripts and styles, by their hashes; no request to anywhere."""
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(map(_hash_source, scripts)),
        "style-src": " ".join(map(_hash_source, styles)),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash_source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode()}'"
