"""The rule that turns numbers into a verdict, fixed before any number is there.

Of one number: *supported* where its whole interval lies beyond the claim's threshold, *refuted* where it lies short of
it: an effect that would count is ruled out. Of a claim, over its cases:

holds                 supported in every case
does not hold         refuted in every case
depends on …          supported in some and refuted in some
cannot be told here   anything else, and whatever the numbers say, a confounder (checklist.py)

On a page of K claims with C cases each, an interval's end is beyond the truth in at most error / (K·C). A case is
supported or refuted wrongly only if the end that faces the truth is, so at most `error` of pages have any verdict that
is wrong. Source: Bonferroni. It holds where what Student's t supposes does: that numbers spread normally from seed to
seed. Where they lean to one side it is more, by how much `python -m tests.claims_evidence` shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.intervals import Interval
from harness.claims.numbers import Number
from harness.report.wording import listed
from harness.suite.claims import ClaimRule, Threshold


class Word(StrEnum):
    HOLDS = "holds"
    FAILS = "does not hold"
    DEPENDS = "depends"
    UNTOLD = "cannot be told here"


@dataclass(frozen=True, kw_only=True)
class ClaimVerdict:
    word: Word
    because: str = ""  # on what it depends, or what keeps it from being told

    @property
    def reason(self) -> str:
        """What follows the word: ` on the model: it holds with cnn, not with rnn`, `: the machine was busy ...`."""
        if not self.because:
            return ""
        return f" on {self.because}" if self.word == Word.DEPENDS else f": {self.because}"

    @property
    def in_words(self) -> str:
        return f"{self.word}{self.reason}"


def is_supported(interval: Interval, holds: Threshold) -> bool:
    if not interval.is_known:
        return False
    return interval.high < holds.below if holds.below is not None else interval.low > holds.value


def is_refuted(interval: Interval, holds: Threshold) -> bool:
    if not interval.is_known:
        return False
    return interval.low >= holds.below if holds.below is not None else interval.high <= holds.value


def decided(rule: ClaimRule, numbers: Sequence[Number], violations: Sequence[str]) -> ClaimVerdict:
    """violations: of the checklist."""
    if violations:
        return ClaimVerdict(word=Word.UNTOLD, because="; ".join(violations))
    supported = [each for each in numbers if is_supported(each.interval, rule.holds)]
    refuted = [each for each in numbers if is_refuted(each.interval, rule.holds)]
    if len(supported) == len(numbers):
        return ClaimVerdict(word=Word.HOLDS)
    if len(refuted) == len(numbers):
        return ClaimVerdict(word=Word.FAILS)
    if supported and refuted:
        names = [listed([each.case for each in side]) for side in (supported, refuted)]
        return ClaimVerdict(
            word=Word.DEPENDS, because=f"{rule.depends_on}: it holds with {names[0]}, not with {names[1]}"
        )
    return ClaimVerdict(word=Word.UNTOLD, because=_undecided(rule, numbers))


def _undecided(rule: ClaimRule, numbers: Sequence[Number]) -> str:
    unknown = [each.case for each in numbers if not each.interval.is_known]
    if unknown:
        return f"there is no interval{_with(unknown)}: too few seeds have a number"
    open_ones = [
        each.case
        for each in numbers
        if not is_supported(each.interval, rule.holds) and not is_refuted(each.interval, rule.holds)
    ]
    return f"the interval{_with(open_ones)} lies on both sides of the threshold"


def _with(cases: list[str]) -> str:
    return f" with {listed(cases)}" if any(cases) else ""
