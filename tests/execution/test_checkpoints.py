"""Training that is interrupted, that runs out of memory, that breaks: it ends as it should, or says what to do."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import no_progress, tiny_bert, tiny_chat, tiny_llama, toy_dataset
from tiny_trainings import FAST, recipe, split_of
from torch import Tensor, nn

from bench import registry
from bench.classifiers.folder import load_classifier
from bench.data.prepared import save_dataset
from bench.errors import BenchError, UsageError
from bench.execution.fit_job import FitTask, fit
from bench.types import BaseWeights, Classifier, Recipe, Workplace
from trainers.loop import checkpoints
from trainers.loop.batches import TokenisedSplit
from trainers.loop.checkpoints import SPENT, STATE, Checkpoints
from trainers.loop.loop import train_module
from trainers.loop.records import LoopParams
from trainers.params import read_params


class Interrupted(Exception):
    """Stands for Ctrl-C, a crash, a lost machine."""


def interrupt_at(step: int) -> object:
    def progress(what: str, done: int, total: int) -> None:
        if what == "training" and done == step:
            raise Interrupted

    return progress


def train(made: Recipe, base: BaseWeights | None, folder: Path, progress: object = no_progress) -> Classifier:
    place = Workplace("cpu", 2, folder / "cache", folder / "checkpoint")
    out = folder / f"out{len(list(folder.glob('out*')))}"
    out.mkdir(parents=True)
    return registry.find("trainer", made.method)(made, base, place).fit(toy_dataset(), 0, out, progress)


METHODS = {
    "full-finetune": (recipe("full-finetune", **(FAST | {"epochs": 6})), tiny_bert),
    "full-finetune on a decoder": (recipe("full-finetune", **(FAST | {"epochs": 6})), tiny_llama),
    "lora": (recipe("lora", **(FAST | {"epochs": 6}), dropout=0.1), tiny_bert),
    "library-trainer": (recipe("library-trainer", **(FAST | {"epochs": 6})), tiny_bert),
    "sft": (recipe("sft", **(FAST | {"epochs": 6, "max_length": 48}), chat=True), tiny_chat),
    "network": (recipe("network", architecture="lstm", min_frequency=1, epochs=6, width=16, hidden=8), None),
}


@pytest.mark.parametrize("name", METHODS)
def test_an_interrupted_training_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(checkpoints, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(Checkpoints.__init__, "__defaults__", (0.0,))
    made, make_base = METHODS[name]
    base = make_base(tmp_path / "base") if make_base else None
    whole = train(made, base, tmp_path / "whole")
    steps = whole.manifest.fit.steps
    with pytest.raises(Interrupted):
        train(made, base, tmp_path / "broken", interrupt_at(steps - 2))
    assert any((tmp_path / "broken" / "checkpoint").iterdir())
    resumed = train(made, base, tmp_path / "broken")
    assert resumed.manifest.files == whole.manifest.files, "other weights than without the interruption"
    assert [point.f1 for point in resumed.manifest.fit.curve] == [point.f1 for point in whole.manifest.fit.curve]
    assert resumed.manifest.fit.chosen_step == whole.manifest.fit.chosen_step
    if made.method != "library-trainer":
        assert any("interrupted; went on from step" in note for note in resumed.manifest.fit.notes)


@pytest.mark.parametrize("name", ["full-finetune", "library-trainer"])
def test_the_time_before_an_interruption_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Also where no checkpoint was kept yet: steps that have to be done again have cost their time."""
    made, make_base = METHODS[name]
    base = make_base(tmp_path / "base") if make_base else None
    (tmp_path / "broken" / "checkpoint").mkdir(parents=True)
    (tmp_path / "broken" / "checkpoint" / SPENT).write_text("1000.0")
    resumed = train(made, base, tmp_path / "broken")
    assert resumed.manifest.fit.fit_s + resumed.manifest.fit.evaluate_s > 1000.0
    assert train(made, base, tmp_path / "whole").manifest.fit.fit_s < 1000.0


def test_what_was_spent_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Checkpoints(tmp_path / "c")
    store.note_spent(0.5)
    assert store.spent_s() == 0.0
    monkeypatch.setattr(checkpoints, "NOTE_EVERY_S", 0.0)
    store.note_spent(2.5)
    assert Checkpoints(tmp_path / "c").spent_s() == 2.5
    (tmp_path / "c" / SPENT).write_text("nonsense")
    assert store.spent_s() == 0.0
    assert Checkpoints(None).spent_s() == 0.0


def test_all_steps_count_as_training_not_those_up_to_the_chosen_one(tmp_path: Path) -> None:
    """The choice among checkpoints takes every step (measurement.md)."""
    split = TokenisedSplit([[1]] * 8, np.ones(8, dtype=int), np.arange(8) % 2, pad_id=0)
    module = Slow(0.02)
    params = LoopParams(epochs=4, batch_size=4, learning_rate=1e-9, evaluations=4)
    outcome = train_module(module, split, split, params, 0, Workplace("cpu", 1, tmp_path), lambda *_: None)
    assert outcome.steps == 8
    assert outcome.chosen_step < outcome.steps
    assert outcome.fit_s >= 8 * 0.02


def test_a_contrastive_loss_is_not_computed_in_parts() -> None:
    for parts in ({"accumulation": 2}, {"halve_on_oom": True}):
        with pytest.raises(UsageError, match="contrastive loss compares all texts"):
            read_params(recipe("full-finetune", contrastive=0.5, **parts), LoopParams)
    assert read_params(recipe("full-finetune", contrastive=0.5), LoopParams).contrastive == 0.5
    assert read_params(recipe("full-finetune", accumulation=2), LoopParams).accumulation == 2


class Slow(nn.Module):
    """Takes its time for every training step and never learns."""

    def __init__(self, step_s: float) -> None:
        super().__init__()
        self.head = nn.Linear(1, 2)
        self.step_s = step_s

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        if self.training:
            time.sleep(self.step_s)
        return self.head(input_ids[:, :1].float())


def test_a_damaged_checkpoint_means_starting_over(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path / "c", save_every_s=0.0)
    assert store.due()
    assert store.load() is None
    store.save({"step": 3})
    assert store.load() == {"step": 3}
    (tmp_path / "c" / STATE).write_bytes(b"nonsense")
    assert store.load() is None
    assert not (tmp_path / "c").exists()
    assert not Checkpoints(None).due()


def test_a_checkpoint_holds_no_code(tmp_path: Path) -> None:
    """A pickle that would run something is not loaded."""

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("ran",)

    (tmp_path / STATE).parent.mkdir(exist_ok=True)
    torch.save({"step": Evil()}, tmp_path / STATE)
    assert Checkpoints(tmp_path).load() is None


class Greedy(nn.Module):
    """Has memory for so many rows at once and no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(1, 2)
        self.room = room

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        if self.training and len(input_ids) > self.room:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return self.head(input_ids.float().mean(dim=1, keepdim=True))


HERE = Workplace("cpu", 1, Path("unused"))


def weights_after(room: int, **params: object) -> tuple[Tensor, tuple[str, ...]]:
    module = Greedy(room)
    chosen = LoopParams(epochs=2, batch_size=16, **params)
    outcome = train_module(module, split_of(64), split_of(8), chosen, 0, HERE, no_progress)
    return module.head.weight.detach(), outcome.notes


def test_out_of_memory_names_the_batch_and_what_to_set() -> None:
    expected = (
        r"out of memory in training with 16 texts of up to \d+ tokens at once .*set accumulation = 2 .*halve_on_oom"
    )
    with pytest.raises(BenchError, match=expected):
        weights_after(room=4)
    with pytest.raises(BenchError, match="smaller max_length"):
        weights_after(room=0, accumulation=16)


def test_halving_keeps_the_step() -> None:
    enough, none = weights_after(room=16)
    halved, notes = weights_after(room=4, halve_on_oom=True)
    torch.testing.assert_close(halved, enough, rtol=1e-5, atol=1e-6)
    assert none == ()
    assert [note.partition(" at step")[0] for note in notes] == [
        "memory ran out with 16 texts at once",
        "memory ran out with 8 texts at once",
    ]


def test_the_library_trainer_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="r_drop is not for the library Trainer; use the method full-finetune"):
        train(recipe("library-trainer", r_drop=1.0), tiny_bert(tmp_path / "base"), tmp_path)


def test_test_scores_stand_beside_validation_and_choose_nothing(tmp_path: Path) -> None:
    base = tiny_bert(tmp_path / "base")
    plain = train(METHODS["full-finetune"][0], base, tmp_path / "plain")
    made = recipe("full-finetune", **(FAST | {"epochs": 6}), test_curve=True)
    watched = train(made, base, tmp_path / "watched")
    assert all(point.test_f1 is not None for point in watched.manifest.fit.curve)
    assert all(point.test_f1 is None for point in plain.manifest.fit.curve)
    assert watched.manifest.fit.chosen_step == plain.manifest.fit.chosen_step
    scores = [point.f1 for point in watched.manifest.fit.curve]
    assert np.allclose(scores, [point.f1 for point in plain.manifest.fit.curve])


def test_a_jobs_checkpoint_survives_it_and_goes_when_the_training_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoints.__init__, "__defaults__", (0.0,))
    made, make_base = METHODS["full-finetune"]
    base = make_base(tmp_path / "base")
    (tmp_path / "data").mkdir()
    save_dataset(toy_dataset(), tmp_path / "data")
    task = FitTask(
        tmp_path / "data", made, base, None, 0, tmp_path / "toy-abc", Workplace("cpu", 2, tmp_path / "cache")
    )
    with pytest.raises(Interrupted):
        fit(task, interrupt_at(20))
    assert (tmp_path / "cache" / "checkpoints" / "toy-abc" / STATE).is_file()
    assert not task.target.exists()
    fit(task, no_progress)
    assert any("went on from step" in note for note in load_classifier(task.target).manifest.fit.notes)
    assert not (tmp_path / "cache" / "checkpoints" / "toy-abc").exists()
