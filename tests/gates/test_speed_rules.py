"""The rule of the speed gate on simulated turns, and the texts that its turns draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planned_turns import planned_workers

from bench.gates.speed_rules import Crowd, judge_turns
from bench.gates.turn_texts import TurnTexts
from bench.gates.turns import FEWEST_TEXTS, FEWEST_TURNS, take_turns
from bench.results.verdicts import Verdict

TRIALS = 150
QUIET = lambda *_: None  # noqa: E731 - progress nobody reads


def simulate(slowdown: float, spread: float, seed: int, turns: int = FEWEST_TURNS) -> list[Verdict]:
    """Verdicts on turns that vary by `spread`, drift together and have a stall now and then, as shared machines do."""
    rng = np.random.default_rng(seed)
    verdicts = []
    for _ in range(TRIALS):
        drift = np.exp(np.cumsum(rng.normal(0, spread / 3, turns)))
        seconds = drift * np.exp(rng.normal(0, spread, (3, turns))) * (1 + 3 * (rng.random((3, turns)) < 0.03))
        verdicts.append(judge_turns("single", seconds[0], seconds[1], seconds[2] * (1 + slowdown)).verdict)
    return verdicts


def test_an_unchanged_engine_is_never_called_slower() -> None:
    for spread in (0.01, 0.05, 0.2):
        assert Verdict.REGRESSED not in simulate(0.0, spread, seed=1)


def test_a_slowdown_of_20_percent_is_always_found() -> None:
    assert set(simulate(0.2, 0.03, seed=2)) == {Verdict.REGRESSED}


def test_a_slowdown_of_5_percent_is_below_the_bar() -> None:
    """Now and then too many of 30 turns had a stall to tell."""
    verdicts = simulate(0.05, 0.02, seed=3)
    assert Verdict.REGRESSED not in verdicts
    assert verdicts.count(Verdict.PASS) >= 0.97 * TRIALS


def test_a_machine_too_noisy_to_see_20_percent_never_passes() -> None:
    assert Verdict.PASS not in simulate(0.2, 0.4, seed=4)


@given(seed=st.integers(0, 2**16), spread=st.floats(0.001, 0.5), slowdown=st.floats(-0.5, 1.0))
def test_the_verdict_follows_the_rule(seed: int, spread: float, slowdown: float) -> None:
    base, again, head = np.random.default_rng(seed).lognormal(sigma=spread, size=(3, 20))
    judgement = judge_turns("offline", base, again, head * (1 + slowdown))
    assert judgement.bar == max(0.1, 2 * judgement.noise)
    regressed = judgement.slowdown.value > judgement.bar and judgement.p < 0.01
    assert (judgement.verdict is Verdict.REGRESSED) == regressed
    passed = judgement.slowdown.high <= judgement.bar <= 0.15
    assert (judgement.verdict is Verdict.PASS) == (passed and not regressed)


# ---------------------------------------------------------------- a crowded machine


def crowded(
    held_up: float, turns: int = FEWEST_TURNS, share: float = 1.0, workers: tuple[int, ...] = (0, 1, 2)
) -> Crowd:
    """Others had half of the cores and held these workers up so far, in a share of the turns."""
    found = np.zeros((turns, 3))
    found[: round(share * turns), list(workers)] = held_up
    return Crowd(held_up=found, others=np.full((turns, 3), 0.5))


def planted(slowdown: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    base, again, head = np.random.default_rng(5).lognormal(sigma=0.02, size=(3, FEWEST_TURNS))
    return base, again, head * (1 + slowdown)


@pytest.mark.parametrize("slowdown", [0.0, 0.05, 0.127, 0.2, 9.0])
@pytest.mark.parametrize("workers", [(0,), (2,), (0, 1, 2)])
def test_a_machine_that_others_take_is_never_judged(slowdown: float, workers: tuple[int, ...]) -> None:
    """At load 12 on two cores 5 % more work was measured as 12.7 % more time and called REGRESSED."""
    judgement = judge_turns("single", *planted(slowdown), crowd=crowded(0.6, workers=workers))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.beside_others
    assert judgement.held_up == pytest.approx(0.6)
    assert judgement.others_share == pytest.approx(0.5)


@pytest.mark.parametrize("held_up", [0.0, 0.049])
def test_others_on_a_core_of_their_own_disturb_no_verdict(held_up: float) -> None:
    for slowdown, verdict in ((0.0, Verdict.PASS), (0.2, Verdict.REGRESSED)):
        judgement = judge_turns("single", *planted(slowdown), crowd=crowded(held_up))
        assert judgement.verdict is verdict
        assert not judgement.beside_others


def test_a_few_turns_held_up_are_left_out_as_their_seconds_are() -> None:
    judgement = judge_turns("single", *planted(0.2), crowd=crowded(0.9, share=0.2))
    assert judgement.verdict is Verdict.REGRESSED
    assert judge_turns("single", *planted(0.2), crowd=crowded(0.9, share=0.5)).verdict is Verdict.INCONCLUSIVE


def test_a_base_that_does_not_watch_leaves_it_to_the_others() -> None:
    crowd = crowded(0.6, workers=(2,))
    crowd.held_up[:, :2] = crowd.others[:, :2] = np.nan
    assert judge_turns("single", *planted(0.2), crowd=crowd).verdict is Verdict.INCONCLUSIVE
    crowd.held_up[:], crowd.others[:] = np.nan, np.nan
    blind = judge_turns("single", *planted(0.2), crowd=crowd)
    assert (blind.verdict, blind.held_up, blind.beside_others) == (Verdict.REGRESSED, None, False)


def test_turns_bring_what_their_workers_say_of_others() -> None:
    class Watching:
        lengths = tuple(range(1, 41))

        def __init__(self, held_up: float | None) -> None:
            self.held_up = held_up

        def ask(self, question: dict[str, object]) -> dict[str, object]:
            if "warm_up" in question:
                return {"rate_rps": 40.0}
            watched = {"held_up": self.held_up, "others": 0.4}
            return {"seconds": 0.01, **(watched if self.held_up is not None else {})}

    turns = take_turns([Watching(None), Watching(0.1), Watching(0.2)], "single", 5, QUIET)  # type: ignore[list-item]
    assert turns.seconds.shape == (5, 3)
    assert np.isnan(turns.crowd.held_up[:, 0]).all()
    assert turns.crowd.shares() == pytest.approx((0.2, 0.4))


# ---------------------------------------------------------------- texts of the turns


@pytest.mark.parametrize("rate", [5, 50])
@pytest.mark.parametrize("slow", ["any", "short", "long"])
def test_a_head_twice_as_slow_on_most_texts_is_found_for_every_seed(rate: float, slow: str) -> None:
    for seed in range(8):
        turns = take_turns(planned_workers(rate, 0.7, 2.0, seed, slow), "single", 120, QUIET, seed).seconds
        judgement = judge_turns("single", *turns.T)
        assert judgement.verdict is Verdict.REGRESSED, (seed, judgement)
        assert judgement.slowdown.value > 0.25


def test_an_unchanged_head_of_few_answers_a_second_passes() -> None:
    turns = [take_turns(planned_workers(5, 0, 1, seed), "single", 120, QUIET, seed).seconds for seed in range(8)]
    verdicts = [judge_turns("single", *each.T).verdict for each in turns]
    assert Verdict.REGRESSED not in verdicts
    assert verdicts.count(Verdict.PASS) >= 7


def test_every_turn_has_fresh_texts_of_all_lengths_the_same_for_both_sides() -> None:
    workers = planned_workers(5, 0, 1, 3)
    take_turns(workers, "single", 30, QUIET)
    assert workers[0].turns == workers[1].turns == workers[2].turns
    drawn = [text for turn in workers[0].turns for text in turn]
    assert len(drawn) == len(set(drawn)) == 30 * FEWEST_TEXTS
    ranks = np.argsort(np.argsort(workers[0].lengths, kind="stable"), kind="stable")[drawn]
    assert np.bincount(ranks // 200, minlength=10).min() >= 9  # 12 a tenth of the lengths, were it exact
    for turn in workers[0].turns:
        quarters = np.argsort(np.argsort(workers[0].lengths, kind="stable"), kind="stable")[list(turn)] // 500
        assert sorted(quarters) == [0, 1, 2, 3]


@given(n=st.integers(1, 300), count=st.integers(1, 400), seed=st.integers(0, 99))
def test_no_text_comes_again_before_all_of_its_layer(n: int, count: int, seed: int) -> None:
    texts = TurnTexts(list(range(n)), count, seed)
    size = min(n, count)
    turns = [texts.draw(turn) for turn in range(n // size)]
    assert all(len(turn) == size for turn in turns)
    drawn = [text for turn in turns for text in turn]
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= set(range(n))
