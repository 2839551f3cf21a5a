"""The leaderboard as one HTML file that needs no network: a table, plots, and the texts worth reading."""

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
from bench.results import Evidence
from bench.types import DataCard
from reports.markdown import clean
from reports.page_charts import FEWEST_LATENCIES, curves_record, latency_record, matrices_record, studies_record
from reports.page_items import flips_record, hardest_record
from reports.page_rows import ordered_cells, page_points, page_table, scenario_names, scenarios_of
from reports.records import json_able
from reports.rows import TaskRows
from reports.standing import Standing
from reports.tables import Table

WEB = files("reports") / "web"
SCRIPTS = ("dom", "table", "leaderboard", "trade_off", "latency", "curves", "look", "items", "main")
_PLOT_CLASS = "plot"  # the class that trade_off.js and the others give their plots


@dataclass(frozen=True)
class PageTask:
    """One task as the other forms of the report show it, and what their tables were made of."""

    title: str
    provenance: tuple[str, ...]
    rankings: tuple[str, ...]
    tables: tuple[Table, ...]
    task: TaskRows
    standing: Standing


def render_page(tasks: Sequence[PageTask], evidence: Evidence) -> str:
    """The whole page; everything of the run stands in it as JSON, which its scripts show as text."""
    data = {
        "title": clean(tasks[0].title if len(tasks) == 1 else ", ".join(each.task.data.title for each in tasks)),
        "tasks": [_task(each, evidence) for each in tasks],
        "footer": f"Made by bench {__version__}. Drawn with {_credits()}; their licences stand in this file.",
    }
    scripts = [*_vendored(), f'(() => {{\n"use strict";\n{"".join(_own(f"{name}.js") for name in SCRIPTS)}}})();\n']
    style = _own("page.css")
    return Template(_own("page.html")).substitute(
        policy=_policy(scripts, [style, _plot_style(scripts)]),
        version=escape(__version__),
        title=escape(f"{data['title']}: text classifiers compared"),
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


def _task(page: PageTask, evidence: Evidence) -> dict[str, Any]:
    task, standing = page.task, page.standing
    scenarios = scenarios_of(task)
    rows = [row for _, row in ordered_cells(task, standing)]
    texts = evidence.texts(task.data.fingerprint)
    return {
        "title": clean(page.title),
        "name": clean(task.data.title),
        "lead": clean(_lead(task.data, len(rows), page.provenance)),
        "comparable": task.data.source.kind != "sample",
        "provenance": [clean(line) for line in page.provenance],
        "rankings": [clean(line) for line in page.rankings],
        "classes": [clean(name) or "(empty)" for name in task.data.class_names],
        "scenarios": [
            dict(zip(("key", "words", "unit"), (key, *scenario_names(key)), strict=True)) for key in scenarios
        ],
        "table": page_table(task, standing, scenarios),
        "points": page_points(task, standing, scenarios),
        "latencies": {key: latency_record(rows, key, evidence.latencies_ns) for key in scenarios},
        "fewest": FEWEST_LATENCIES,
        "curves": curves_record(task),
        "studies": studies_record(task),
        "matrices": matrices_record(rows),
        "hardest": hardest_record(task, texts),
        "flips": flips_record(task, texts),
        "tables": [_table(table) for table in page.tables],
    }


def _lead(data: DataCard, rows: int, provenance: Sequence[str]) -> str:
    """Dataset, source, rows and machine in a line."""
    used, full = data.sizes.test, data.full_sizes.test
    source = provenance[0].removeprefix("Data: ").split(";")[0]
    machine = next((line.removeprefix("Machine: ") for line in provenance if line.startswith("Machine: ")), "")
    test = f"{used:,} of {full:,}" if used < full else f"all {used:,}"
    return f"{rows:,} rows · {test} test texts · {source} · {re.sub(', fingerprint [0-9a-f]+', '', machine)}"


def _table(table: Table) -> dict[str, Any]:
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


def _vendored() -> list[str]:
    """Each library's file as it was published, its licences before it."""
    libraries = vendored_files().values()
    return [f"/*!\n{_own('vendor/' + each['licence'])}*/\n{_own('vendor/' + each['file'])}" for each in libraries]


def _credits() -> str:
    return " and ".join(f"{name} {each['version']}" for name, each in vendored_files().items())


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
