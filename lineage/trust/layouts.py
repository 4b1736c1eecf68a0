"""Whether an artifact was made as a signed in-toto layout asks: `in-toto-verify`, without files or commands.

Owns: the order of the questions, and choosing among evidence. Signatures, thresholds and certificates are
judged here, over the bytes as received; artifact rules by the package `in-toto` (`layouts_rules`). Pure: no
file is opened, no command is ever run, and the moment is an argument.

Where several links say different things of one step, the layout is fulfilled when *some* choice of them
fulfils it: one more link never turns a verdict from verified to refuted. `in-toto-verify` leaves that choice
to whoever fills the folder of links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product

from lineage.errors import InconclusiveError, MalformedError, TooLargeError
from lineage.trust import digest, layouts_metadata, layouts_model, layouts_rules, layouts_signers
from lineage.trust.keys import PublicKey
from lineage.trust.layouts_belief import Belief
from lineage.trust.layouts_metadata import Metadata
from lineage.trust.layouts_model import Layout, Link, Step
from lineage.trust.layouts_report import Report, StepReport
from lineage.trust.layouts_rules import Budget, RuleReport
from lineage.trust.layouts_signers import Trials
from lineage.trust.layouts_steps import Evidence, Group, Performed, performed
from lineage.trust.verify import Outcome

__all__ = ["Evidence", "Report", "read_evidence", "verify_layout"]

MAX_EVIDENCE = 1_000
MAX_CHOICES = 64
"""Choices among evidence that are tried for one layout."""
MAX_DEPTH = 8
MAX_LAYOUTS = 16
"""Sublayouts of one verdict together."""

_RESTS = "the outcome says nothing of what they would have found"


def read_evidence(data: bytes, name: str, *, received_us: int | None = None, step: str = "") -> Evidence:
    """A link or sublayout as received. Raises: MalformedError, TooLargeError."""
    return Evidence(layouts_metadata.read(data), name, received_us, step)


def verify_layout(
    data: bytes,
    owners: Sequence[PublicKey],
    evidence: Sequence[Evidence],
    artifact: Mapping[str, str] | None,
    at_us: int,
    belief: Belief | None = None,
) -> Report:
    """Judge a signed layout (Metablock or DSSE).

    `owners`: each of them has to have signed it. `artifact`: a digest set that has to be a product of the
    last step; None: that isn't asked. `at_us`: the moment to judge at, µs since the epoch. `belief`: a key
    ring that may know functionaries who are believed no more, and where their evidence is listed; None: the
    layout alone says whose signatures count.

    Never raises for what it is given: what can't be read is refuted, what is over a limit inconclusive.

    Source: in-toto specification 0.9, section 5.2 (the order of verification), without inspections.
    """
    layout_digest = digest.sha256_hex(data)
    try:
        metadata = layouts_metadata.read(data)
        run = _Run(tuple(evidence[: MAX_EVIDENCE + 1]), at_us, belief or Belief())
        if not owners:
            raise InconclusiveError("No owner's key was given, so the layout's signatures can't be checked.")
        return run.judge(metadata, owners, artifact, ())[0]
    except MalformedError as error:
        return Report(Outcome.REFUTED, (error.message,), layout_digest)
    except (TooLargeError, InconclusiveError) as error:
        return Report(Outcome.INCONCLUSIVE, (error.message,), layout_digest)


@dataclass(slots=True)
class _Run:
    """One verdict: the evidence that all its layouts share, and what it may still spend."""

    pool: tuple[Evidence, ...]
    at_us: int
    belief: Belief
    trials: Trials = field(default_factory=Trials)
    budget: Budget = field(default_factory=Budget)
    layouts: int = 0

    def __post_init__(self) -> None:
        if len(self.pool) > MAX_EVIDENCE:
            raise TooLargeError(f"There are more than {MAX_EVIDENCE:,} links, the limit.", limit=MAX_EVIDENCE)

    def judge(
        self,
        metadata: Metadata,
        owners: Sequence[PublicKey],
        artifact: Mapping[str, str] | None,
        above: tuple[str, ...],
        most: int = 1,
    ) -> tuple[Report, list[Link]]:
        """The report, and up to `most` summaries that the layout proves. `above`: its superlayouts' digests.

        Raises: MalformedError, TooLargeError, InconclusiveError.
        """
        layout = layouts_model.layout(metadata)
        unsigned = layouts_signers.missing(metadata, owners, self.trials)
        blank = Report(Outcome.REFUTED, (), metadata.digest, layout.expires)
        if unsigned:
            whom = "One of the owners' keys" if len(owners) > 1 else "The owner's key"
            said = f"{whom} did not sign the layout: {unsigned[0].key_id[:12]}…"
            return replace(blank, reasons=(said,)), []
        if layout.expires_us <= self.at_us:
            return replace(blank, reasons=(f"The layout expired at {layout.expires}.",)), []
        if layout.inspections:
            names = layouts_rules.names(layout.inspections)
            said = (
                f"The layout asks to run commands to inspect the result ({names}), which is never done here"
            )
            return replace(blank, outcome=Outcome.INCONCLUSIVE, reasons=(f"{said}; {_RESTS}.",)), []
        layouts_rules.check(layout)
        steps = [self._performed(step, layout, metadata.digest, above) for step in layout.steps]
        if not all(step.enough for step in steps):
            return self._short(blank, steps), []
        return self._choose(blank, layout, steps, artifact, most)

    def _performed(self, step: Step, layout: Layout, layout_digest: str, above: tuple[str, ...]) -> Performed:
        path = (*above, layout_digest)
        pool = [each for each in self.pool if each.metadata.digest not in path]

        def below(evidence: Evidence, whole: Layout, of: Step) -> tuple[Report, Sequence[Link]]:
            return self._sublayout(evidence, whole, of, path)

        return performed(step, layout, pool, self.at_us, self.trials, self.belief, below)

    def _sublayout(
        self, evidence: Evidence, layout: Layout, step: Step, path: tuple[str, ...]
    ) -> tuple[Report, Sequence[Link]]:
        """A sublayout, which was signed by a functionary of the step; it is judged like any layout."""
        self.layouts += 1
        nothing = Report(Outcome.INCONCLUSIVE, (), evidence.metadata.digest)
        if self.layouts > MAX_LAYOUTS or len(path) > MAX_DEPTH:
            return replace(nothing, reasons=("There are more sublayouts than the limit.",)), ()
        # Who signed it for the step was just found, so no owner is asked for a second time.
        try:
            report, summaries = self.judge(evidence.metadata, (), None, path, MAX_CHOICES)
        except MalformedError as error:
            return replace(nothing, outcome=Outcome.REFUTED, reasons=(error.message,)), ()
        except (TooLargeError, InconclusiveError) as error:
            return replace(nothing, reasons=(error.message,)), ()
        return report, [replace(link, name=step.name) for link in summaries]

    def _short(self, blank: Report, steps: Sequence[Performed]) -> Report:
        """Too few functionaries for some step: no rule is reached."""
        reports = tuple(
            _enough(step, step.enough[0], Outcome.INCONCLUSIVE, "Its rules were not reached.")
            if step.enough
            else step.short()
            for step in steps
        )
        lacking = [report for report, step in zip(reports, steps, strict=True) if not step.enough]
        refuted = [report for report in lacking if report.outcome is Outcome.REFUTED]
        outcome = Outcome.REFUTED if refuted else Outcome.INCONCLUSIVE
        reasons = tuple(f"Step {report.name}: {report.said}" for report in refuted or lacking)
        return replace(blank, outcome=outcome, reasons=reasons, steps=reports)

    def _choose(
        self,
        blank: Report,
        layout: Layout,
        steps: Sequence[Performed],
        artifact: Mapping[str, str] | None,
        most: int,
    ) -> tuple[Report, list[Link]]:
        """Try choices of one group a step until `most` fulfil the layout; of failures the best is told."""
        best: Report | None = None
        proven: list[Link] = []
        choices = _choices(steps, artifact)
        for chosen in islice(choices, MAX_CHOICES):
            report = _judged(blank, layout, steps, chosen, artifact, self.budget)
            if best is None or _rank(report) > _rank(best):
                best = report
            if report.outcome is Outcome.VERIFIED:
                proven.append(Link("", chosen[0].link.materials, chosen[-1].link.products))
                if len(proven) == most:
                    break
        assert best is not None  # every step has a group, so there is a choice
        if best.outcome is Outcome.REFUTED and next(choices, None) is not None:
            reason = (
                f"More than {MAX_CHOICES} choices among its links were possible; none of those tried fits."
            )
            best = replace(best, outcome=Outcome.INCONCLUSIVE, reasons=(reason, *best.reasons))
        return best, proven


def _choices(steps: Sequence[Performed], artifact: Mapping[str, str] | None) -> Iterator[tuple[Group, ...]]:
    """One group a step; those first whose last step made the artifact."""
    groups = [step.enough for step in steps]
    if artifact is not None:
        made = [_made(group.link, artifact) for group in groups[-1]]
        order = sorted(range(len(made)), key=lambda i: not made[i])
        groups[-1] = [groups[-1][i] for i in order]
    # The last step varies slowest.
    return (chosen[::-1] for chosen in product(*reversed(groups)))


def _made(link: Link, artifact: Mapping[str, str]) -> bool:
    return any(digest.match(found, artifact) for found in link.products.values())


def _rank(report: Report) -> tuple[bool, bool, int]:
    passed = sum(step.outcome is Outcome.VERIFIED for step in report.steps)
    return report.outcome is Outcome.VERIFIED, report.outcome is Outcome.INCONCLUSIVE, passed


def _judged(
    blank: Report,
    layout: Layout,
    steps: Sequence[Performed],
    chosen: Sequence[Group],
    artifact: Mapping[str, str] | None,
    budget: Budget,
) -> Report:
    """What the rules say of one choice, and whether it made the artifact."""
    links = {step.step.name: group.link for step, group in zip(steps, chosen, strict=True)}
    reports = tuple(_ruled(step, group, links, budget) for step, group in zip(steps, chosen, strict=True))
    reasons = [
        f"Step {report.name}: {report.said}" for report in reports if report.outcome is not Outcome.VERIFIED
    ]
    outcomes = {report.outcome for report in reports}
    if artifact is not None:
        found, said = _about(layout.steps[-1].name, chosen[-1].link, artifact)
        outcomes.add(found)
        reasons += [said] if found is not Outcome.VERIFIED else []
    outcome = next(
        (each for each in (Outcome.REFUTED, Outcome.INCONCLUSIVE) if each in outcomes), Outcome.VERIFIED
    )
    if outcome is Outcome.VERIFIED:
        count = len(reports)
        reasons = [
            f"All {count} steps of the layout were done as it asks."
            if count > 1
            else "The one step of the layout was done as it asks."
        ]
        if artifact is not None:
            reasons.append(f"The artifact is what step {layout.steps[-1].name} made.")
    return replace(blank, outcome=outcome, reasons=tuple(reasons), steps=reports)


def _about(step: str, link: Link, artifact: Mapping[str, str]) -> tuple[Outcome, str]:
    if _made(link, artifact):
        return Outcome.VERIFIED, ""
    if all(digest.comparable(found, artifact) for found in link.products.values()):
        return Outcome.REFUTED, f"The artifact is none of the products of the last step, {step}."
    return Outcome.INCONCLUSIVE, f"A product of the last step, {step}, has no digest to compare with."


def _ruled(step: Performed, group: Group, links: Mapping[str, Link], budget: Budget) -> StepReport:
    asked = step.step
    try:
        materials = layouts_rules.apply(asked.name, "materials", asked.materials, links, budget)
        products = layouts_rules.apply(asked.name, "products", asked.products, links, budget)
    except (InconclusiveError, TooLargeError) as error:
        return _enough(step, group, Outcome.INCONCLUSIVE, error.message)
    failed = [rule for rule in (*materials, *products) if rule.outcome == "failed"]
    said = "Done by enough of its functionaries, and every rule holds."
    if failed:
        said = f"The rule {failed[0].rule} is broken. {failed[0].said}"
    outcome = Outcome.REFUTED if failed else Outcome.VERIFIED
    return _enough(step, group, outcome, said, materials, products)


def _enough(
    step: Performed,
    group: Group,
    outcome: Outcome,
    said: str,
    materials: tuple[RuleReport, ...] = (),
    products: tuple[RuleReport, ...] = (),
) -> StepReport:
    notes = []
    if step.step.command and group.link.command and step.step.command != group.link.command:
        notes.append("It was done by another command than the layout expects, which in-toto only notes.")
    if len(step.groups) > 1:
        notes.append("Other functionaries' links say otherwise; they are listed and not used.")
    return StepReport(
        step.step.name,
        step.step.threshold,
        len(group.signers),
        outcome,
        said,
        step.links(group),
        materials,
        products,
        tuple(notes),
        tuple(step.sublayouts),
    )
