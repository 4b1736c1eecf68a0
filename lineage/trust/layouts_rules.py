"""A step's artifact rules, applied by the package `in-toto`, and what came of each in words.

Owns: asking the package for one list of rules at a time, and telling its trace. The package sees plain values
that were read and limited here, never a layout, a file or a command. Does not own: which links are compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Literal

from lineage.errors import InconclusiveError, MalformedError, TooLargeError
from lineage.trust.layouts_model import Artifacts, Layout, Link

MAX_WORK = 32 << 20
"""Characters of all paths times rules of one list: the package walks all files for each rule, and writes all
of them down for each where one fails."""
MAX_TOTAL_WORK = 4 * MAX_WORK
"""The same of all lists of one verdict, whatever the number of choices among links."""
SHOWN = 3
MAX_SHOWN = 120

Outcome = Literal["passed", "failed", "not reached"]
Source = Literal["materials", "products"]

_lock = Lock()
"""The package keeps the trace of the list that it works on in one place for the whole process."""


@dataclass(slots=True)
class Budget:
    """What one verdict may still spend on rules."""

    left: int = MAX_TOTAL_WORK

    def spend(self, artifacts: Artifacts, rules: int, what: str) -> None:
        """Raises: TooLargeError over `MAX_WORK`, or what is left of `MAX_TOTAL_WORK`."""
        work = sum(len(path) + 4 for path in artifacts) * rules
        if work > min(MAX_WORK, self.left):
            raise TooLargeError(
                f"{what} has {len(artifacts):,} files and {rules:,} rules for them: over the limit.",
                limit=MAX_WORK,
            )
        self.left -= work


@dataclass(frozen=True, slots=True)
class RuleReport:
    """One rule as the layout has it, what came of it, and that as a sentence."""

    rule: str
    outcome: Outcome
    said: str


def check(layout: Layout) -> None:
    """Raises: MalformedError for a rule that has none of in-toto's forms."""
    from in_toto.rulelib import unpack_rule  # slow to load
    from securesystemslib.exceptions import FormatError

    for step in layout.steps:
        for rule in (*step.materials, *step.products):
            try:
                unpack_rule(list(rule))
            except FormatError:
                raise MalformedError(
                    f"A rule of step {step.name} has none of in-toto's forms: {_clipped(' '.join(rule))}."
                ) from None


def apply(
    step: str,
    source: Source,
    rules: Sequence[Sequence[str]],
    links: Mapping[str, Link],
    budget: Budget,
) -> tuple[RuleReport, ...]:
    """What came of each rule about a step's materials or products; one failed where the list is violated.

    Raises: TooLargeError as `Budget.spend`; InconclusiveError where the package can't apply a rule.
    Source: in-toto specification 0.9, section 4.3.3.
    """
    from in_toto import verifylib  # slow to load
    from in_toto.exceptions import RuleVerificationError

    artifacts: Artifacts = getattr(links[step], source)
    budget.spend(artifacts, len(rules), f"Step {step}")
    with _lock:
        failed = False
        try:
            verifylib.verify_item_rules(step, source, [list(rule) for rule in rules], links)
        except RuleVerificationError:
            failed = True
        except KeyError as error:  # a path that its joining of prefixes turns into another one
            raise InconclusiveError(
                f"A rule of step {step} can't be applied: a path of the link begins with / after its prefix, "
                f"or holds a backslash ({_clipped(str(error))})."
            ) from None
        queues = [frozenset(entry["queue"]) for entry in verifylib.RULE_TRACE["trace"]]
    return _told(rules, frozenset(artifacts), queues, failed)


def _told(
    rules: Sequence[Sequence[str]], left: frozenset[str], queues: Sequence[frozenset[str]], failed: bool
) -> tuple[RuleReport, ...]:
    reports = []
    for number, rule in enumerate(rules):
        words = _clipped(" ".join(rule), 300)
        if number < len(queues):
            reports.append(RuleReport(words, "passed", _passed(rule, left - queues[number])))
            left = queues[number]
        elif failed and number == len(queues):
            reports.append(RuleReport(words, "failed", _failed(rule, left)))
        else:
            reports.append(RuleReport(words, "not reached", "A rule before it failed."))
    if not failed and left:
        note = f"No rule speaks of {names(left)}, and none forbids it."
        reports.append(RuleReport("(the rest)", "passed", note))
    return tuple(reports)


def _passed(rule: Sequence[str], taken: Collection[str]) -> str:
    kind = rule[0].lower()
    if kind == "disallow":
        return "Nothing is left that it forbids."
    if kind == "require":
        return f"{_clipped(rule[1])} is there."
    return f"Accepts {names(taken)}." if taken else "Fits nothing here."


def _failed(rule: Sequence[str], left: Collection[str]) -> str:
    if rule[0].lower() == "require":
        return f"{_clipped(rule[1])} is required and not there."
    from fnmatch import filter as fitting

    return f"Forbids {names(fitting(left, rule[1]))}, which no rule before had accepted."


def names(paths: Collection[str]) -> str:
    """The first few, and how many more."""
    shown = ", ".join(_clipped(path) for path in sorted(paths)[:SHOWN])
    more = len(paths) - SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def _clipped(text: str, most: int = MAX_SHOWN) -> str:
    """`text` on one line that can be shown, cut where it is long."""
    shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in text[:most])
    return shown + "…" if len(text) > most else shown
