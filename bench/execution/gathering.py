"""Gathers the results of a launch from the store into its run folder: no weights are fetched, nothing is measured."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from bench.execution.known_rows import known_results, point_to_cached, with_keys
from bench.execution.run_folder import in_plan_order, write_settings
from bench.execution.schedule import Budget, steps_of
from bench.execution.sharded import as_pinned, request_hash
from bench.execution.sharing import Sharing
from bench.execution.worker import NODES
from bench.plan.plan import Plan
from bench.plan.work import Item
from bench.results.evidence import store_texts
from bench.results.records import Result
from bench.results.store import ENVIRONMENT, write_json


@dataclass
class Gathering:
    """What a run folder has of a launch so far; missing: classifiers of which a row is not there yet, for people.

    items: every training and cell, once a worker has written the plan.
    """

    plan: Plan
    sharing: Sharing
    budget: Budget
    results: list[Result] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    _items: list[Item] = field(default_factory=list)
    _whole: dict[tuple[str, str, int], list[Result]] = field(default_factory=dict)

    @property
    def items(self) -> list[Item]:
        """Every training and cell; none before the first worker has written the plan."""
        if not self._items and (pinned := self.sharing.pinned(request_hash(self.plan))):
            self._items = [Item.model_validate(item) for item in pinned["items"]]
        return self._items

    def update(self) -> bool:
        """Fetch what is new and list it in the run folder; False where there is nothing to list yet."""
        pinned = self.sharing.pinned(request_hash(self.plan))
        if pinned is None:
            self.missing = ["everything"]
            return False
        settled, calibrations, items = as_pinned(self.plan, pinned)
        rows_of = dict(self._whole)
        self.missing = []
        for step in with_keys(steps_of(settled, calibrations), items):
            name = step.task.data.name, step.recipe.id, step.seed
            if name in self._whole:
                continue
            found, whole = known_results(self.sharing, self.plan.out, step)
            rows_of[name] = found
            if whole:
                self._whole[name] = found
                point_to_cached(self.sharing, step, self.plan.out)
            else:
                self.missing.append(step.name)
        self.results = in_plan_order(settled, rows_of)
        write_json(self.plan.out / ENVIRONMENT, {**pinned["environment"], "nodes": self._nodes()})
        write_settings(settled, self.budget, self.results, None)
        for task in settled.tasks:
            store_texts(self.plan.out, task.data)
        return bool(self.results)

    def _nodes(self) -> dict[str, object]:
        """The machine card of every node that worked, by its name."""
        store = self.sharing.store
        contents = {name: store.get(f"{NODES}/{name}") for name in store.names(NODES)}
        return {name.removesuffix(".json"): json.loads(content) for name, content in contents.items() if content}
