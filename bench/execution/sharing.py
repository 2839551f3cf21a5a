"""Shares results and classifiers among the workers of a run: fetched where they exist, else made once and published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.classifiers.folder import MANIFEST
from bench.errors import StoreError
from bench.files.cache import file_sha256, whole_file, whole_folder
from bench.files.leases import Worker
from bench.files.objects import ObjectStore, open_store
from bench.plan.shards import Shard, Turns
from bench.results.records import Cell, Result, Status
from bench.results.store import LATENCIES, PARTS, answers_path, result_path, validation_path

RESULTS, FAILED, CLASSIFIERS, BLOBS, PLANS = "results", "failed", "classifiers", "blobs", "plans"
SHARDS, STORE = "shards", "store"  # folders of a run folder
SETTLED = frozenset({Status.OK, Status.UNSTABLE})


def is_settled(result: Result) -> bool:
    """Whether `--retry` leaves a result as it is."""
    return result.status in SETTLED and not result.beside_others


@dataclass(frozen=True)
class Sharing:
    """The store that a run shares, this worker in it, and its part of the run.

    shard: None for all that is missing, Turns for what no other worker of a launch takes. with_classifiers: whether
    classifiers come to this machine that are not needed for results.
    """

    store: ObjectStore
    worker: Worker
    shard: Shard | Turns | None = None
    with_classifiers: bool = False

    @contextmanager
    def turn(self, piece: str, title: str) -> Iterator[None]:
        """Hold the lease of a training or cell, once nobody else does."""
        with self.worker.turn(piece, title):
            yield

    def fetch_cell(self, out: Path, cell_id: str, settled: bool = False) -> bool:
        """Bring a published cell's files into a run folder; False where none, or with `settled` no good one, is.

        What was published stands: it replaces what this worker may have measured itself before it was killed.
        """
        listed = self._listing(f"{RESULTS}/{cell_id}")
        if listed is None or (settled and not listed["settled"]):
            return False
        result = str(result_path(Path(), cell_id))
        for name in sorted(listed["files"], key=lambda name: name == result):  # the result last: it says all is there
            self._fetch(listed["files"][name], out / name)
        return True

    def publish_cell(self, out: Path, cell: Cell, result: Result | None, again: bool = False) -> None:
        """Let all workers have a cell's files; where another published it first, take that one.

        result: None for a reference that nobody asked for, of which there are the answers alone.
        again: write over what is there, for a cell that was measured once more (`--retry`).
        """
        cell_id = cell.id
        paths = [path(out, cell_id) for path in (result_path, answers_path, validation_path)]
        paths += [*out.glob(f"{PARTS}/{cell_id}.r*.json"), *out.glob(f"{LATENCIES}/{cell_id}.r*.parquet")]
        self._note_failure(cell, result)
        files = self._keep({str(path.relative_to(out)): path for path in paths if path.is_file()})
        listing = {"settled": result is None or is_settled(result), "files": files}
        if not self._announce(f"{RESULTS}/{cell_id}", listing, again):
            self.fetch_cell(out, cell_id)

    def _note_failure(self, cell: Cell, result: Result | None) -> None:
        """Why a row has no good result, apart from the results, so that `bench status` need not read them all."""
        name = f"{FAILED}/{cell.id}.json"
        if result is not None and result.status not in SETTLED:
            row = {"task": cell.task, "recipe": cell.recipe, "seed": cell.seed, "engine": cell.engine}
            self.store.put(name, json.dumps({**row, "status": result.status, "reason": result.reason}).encode())
        else:
            self.store.delete(name)

    def fetch_classifier(self, folder: Path) -> bool:
        """Bring a published classifier into the cache, instead of another one there; False where there is none."""
        listed = self._listing(f"{CLASSIFIERS}/{folder.name}")
        if listed is None:
            return False
        if (folder / MANIFEST).is_file():
            if file_sha256(folder / MANIFEST) == listed["files"][MANIFEST]:
                return True
            shutil.rmtree(folder)
        with whole_folder(folder) as scratch:
            for name, digest in listed["files"].items():
                self._fetch(digest, scratch / name)
        return True

    def publish_classifier(self, folder: Path) -> None:
        """Let all workers have a trained classifier; where another published one first, take that one."""
        files = self._keep({str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()})
        if not self._announce(f"{CLASSIFIERS}/{folder.name}", {"files": files}, again=False):
            self.fetch_classifier(folder)

    def pin(self, name: str, plan: dict[str, Any]) -> dict[str, Any]:
        """The plan as the first worker of this request wrote it: this one's, if it is the first."""
        known = self._listing(f"{PLANS}/{name}")
        if known is None and not self._announce(f"{PLANS}/{name}", plan, again=False):
            known = self._listing(f"{PLANS}/{name}")
        return plan if known is None else known

    def pinned(self, name: str) -> dict[str, Any] | None:
        """The plan that the first worker of a request wrote; None where this is the first."""
        return self._listing(f"{PLANS}/{name}")

    def _keep(self, files: dict[str, Path]) -> dict[str, str]:
        """Each file's content in the store, under its hash; every writer of a hash writes the same."""
        hashes = {name: file_sha256(path) for name, path in sorted(files.items())}
        for name, digest in hashes.items():
            self.store.put_file(_blob(digest), files[name])
        return hashes

    def _fetch(self, digest: str, target: Path) -> None:
        if target.is_file() and file_sha256(target) == digest:
            return
        with whole_file(target) as scratch:
            if not self.store.get_file(_blob(digest), scratch):
                raise StoreError(
                    f"{self.store.root} lacks {_blob(digest)}, which a result of it names; use another store"
                )
            if file_sha256(scratch) != digest:
                raise StoreError(f"{self.store.root}: {_blob(digest)} is damaged (its sha256 differs); delete it")

    def _listing(self, name: str) -> dict[str, Any] | None:
        content = self.store.get(f"{name}.json")
        if content is None:
            return None
        try:
            listed: dict[str, Any] = json.loads(content)
        except ValueError as error:
            raise StoreError(f"{self.store.root}: {name}.json is no JSON ({error}); delete it") from error
        return listed

    def _announce(self, name: str, listing: dict[str, Any], again: bool) -> bool:
        """Last of all, so that nobody reads what is not there yet; False where another one was first."""
        content = json.dumps(listing, indent=1, ensure_ascii=False).encode()
        if again:
            self.store.put(f"{name}.json", content)
            return True
        return self.store.put_new(f"{name}.json", content)


def _blob(digest: str) -> str:
    return f"{BLOBS}/{digest[:2]}/{digest}"


@contextmanager
def sharing_of(
    out: Path, shard: Shard | Turns | None, root: str | None, with_classifiers: bool = False
) -> Iterator[Sharing | None]:
    """Join the workers of a run: a shard, or with the store that is there already whoever finishes what is missing.

    None for a run of its own: no shard, no store given, and none in the run folder.
    """
    own = out / STORE
    if shard is None and root is None and not (own / PLANS).is_dir():
        yield None
        return
    store = open_store(root or str(own))
    label = str(shard) if isinstance(shard, Turns) else f"shard {shard}" if shard else "the rest"
    with Worker(store, label) as worker:
        yield Sharing(store, worker, shard, with_classifiers)


def workplace(out: Path, shard: Shard | None) -> Path:
    """The run folder of a shard inside that of the run, so that no two workers write into one."""
    return out / SHARDS / f"{shard.index}-of-{shard.count}" if shard else out
