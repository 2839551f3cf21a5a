"""Records certificates: whether an engine, or a constraint on what is written, changes a classifier's answers."""

from __future__ import annotations

from bench.types import Record


class Flip(Record):
    """A test item whose label differs from the reference engine's; margin is the reference's top-two gap."""

    id: int
    reference: int
    label: int
    margin: float


class Parity(Record):
    """Same classifier, other engine: the certificate against Hugging Face eager fp32.

    `changed_at_most`: the share of changed labels that so many texts leave possible (95 %, exact binomial);
    `items_to_judge`: how many texts without a change it takes to hold the bar against that.
    """

    reference: str
    items: int
    same_tokens: bool | None
    equal_labels: float
    required: float
    largest_probability_difference: float
    mcnemar_p: float
    passed: bool
    flips: tuple[Flip, ...]
    changed_at_most: float | None = None
    items_to_judge: int | None = None

    @property
    def judged(self) -> bool:
        """Whether the texts were enough to say that the bar is kept."""
        return self.changed_at_most is not None and self.changed_at_most <= 1 - self.required


class FreeWriting(Record):
    """A constrained classifier against the same one writing freely in the same engine: the constraint's certificate.

    items: texts that both answered; both_valid: those for which both named a class, on which alone they are compared.
    equal_labels: of these, None where there are none; required: the share that passes; lost, won: texts that only free
    writing, only the constraint has right; free_valid_share: of all items.
    """

    items: int
    both_valid: int
    equal_labels: float | None
    required: float
    lost: int
    won: int
    mcnemar_p: float
    free_valid_share: float
    passed: bool
