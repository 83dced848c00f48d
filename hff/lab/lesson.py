"""What a lesson is: a state of the lab, a question, guesses, and which of them came true.

No lesson knows how it ends: each choice carries a *claim* about before and after, and what the model really did
decides which choice was right. How lessons lie in files is in ``hff.lab.lesson_files``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hff.config import MODALITIES
from hff.lab.comparison import clip_means
from hff.lab.state import LabState
from hff.result import Result

# Of one modality.
FIGURES = ("alpha", "alpha0", "precision", "variance", "aleatoric", "epistemic", "shapley")
CHANGES = ("rises", "stays", "falls")
LEAST = {
    "variance": 0.05,
    "aleatoric": 0.05,
    "epistemic": 0.05,
    "precision": 0.2,
}  # of the old value, below which a figure stays
LEAST_SHARE = 0.02  # of a weight or probability


@dataclass(frozen=True)
class Claim:
    """Something that either came true or did not.

    figure: one of ``FIGURES`` or "probability" with a ``change``; "emotion" that "changes" or "stays"; "leader",
    true where ``of`` has the largest alpha afterwards; "alone", true where ``of`` alone says ``emotion`` afterwards;
    "side", true where the answer afterwards is the one that ``of`` alone gives.
    of: the modality, or for "probability" an emotion or "answer", the emotion said before.
    """

    figure: str
    of: str = ""
    change: str = ""
    emotion: str = ""
    negated: bool = False

    def holds(self, before: Result, after: Result) -> bool:
        return self._holds(before, after) is not self.negated

    def _holds(self, before: Result, after: Result) -> bool:
        if self.figure == "emotion":
            return (before.emotion != after.emotion) is (self.change == "changes")
        if self.figure == "leader":
            return after.present[self.of] and self.of == max(MODALITIES, key=after.alpha.__getitem__)
        if self.figure in ("alone", "side"):
            alone = after.per_modality[self.of]
            says = alone and max(alone, key=alone.__getitem__)
            return says == (self.emotion if self.figure == "alone" else after.emotion)
        old: float | None
        new: float | None
        if self.figure == "probability":
            label = before.emotion if self.of == "answer" else self.of
            old, new = before.probabilities[label], after.probabilities[label]
        else:
            old, new = (clip_means(result)[self.figure][self.of] for result in (before, after))
            if self.figure == "alpha":  # an absent modality has alpha exactly 0
                old, new = old or 0.0, new or 0.0
            if old is None or new is None:
                return False
        return self.change == direction(old, new, LEAST.get(self.figure, 0.0) * abs(old) or LEAST_SHARE)


def direction(old: float, new: float, least: float) -> str:
    if abs(new - old) < least:
        return "stays"
    return "rises" if new > old else "falls"


@dataclass(frozen=True)
class Choice:
    """One guess of the class."""

    text: str
    claim: Claim


@dataclass(frozen=True)
class Lesson:
    """One lesson. ``before`` is what ``state`` is compared with; ``expect`` holds with the shipped weights."""

    key: str
    title: str
    order: float
    state: LabState
    before: LabState
    question: str
    choices: tuple[Choice, ...]
    expect: tuple[Claim, ...]
    watch: str
    why: str
    number: str  # of the paper's equation, as "(17)"
    formula: str
    then: str = ""  # what to try next
    then_state: LabState | None = None  # what sets that up
    then_sweep: str = ""  # the modality to make worse step by step instead
    question_own: str = ""  # the question where a recording of one's own is on the bench
    watch_own: str = ""  # what to look at there, where nobody knows what will be seen

    @property
    def emotions(self) -> set[str]:
        """The emotions that its claims name."""
        claims = (*(choice.claim for choice in self.choices), *self.expect)
        of = {claim.of for claim in claims if claim.figure == "probability"}
        return (of | {claim.emotion for claim in claims}) - {"", "answer"}

    def on(self, source: str) -> Lesson:
        """The same lesson about another recording, asked in words that fit any."""
        if source == self.state.source:
            return self
        return replace(
            self,
            state=self.state.but(source=source),
            before=self.before.but(source=source),
            question=self.question_own or self.question,
            watch=self.watch_own or self.watch,
            then_state=self.then_state and self.then_state.but(source=source),
        )

    def right(self, before: Result, after: Result) -> list[bool]:
        """Which choices came true."""
        return [choice.claim.holds(before, after) for choice in self.choices]
