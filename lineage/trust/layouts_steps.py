"""Who did a step: the evidence that its functionaries signed, grouped by what they agree on.

Owns: which link or sublayout stands for a step, and thresholds over distinct keys. Does not own: rules, or
which of several groups is the right one (`layouts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lineage.errors import MalformedError
from lineage.trust import layouts_model, layouts_signers
from lineage.trust.layouts_belief import Belief
from lineage.trust.layouts_metadata import Metadata
from lineage.trust.layouts_model import Layout, Link, Step
from lineage.trust.layouts_report import LinkReport, Report, StepReport
from lineage.trust.layouts_signers import Trials
from lineage.trust.verify import Outcome

MAX_LINKS_SHOWN = 20
"""Of a step; as many as its signers need where those are more."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Metadata that was handed in for a layout.

    Attributes:
        name: how people call it.
        received_us: when the log received it (µs), a moment at which its signatures were there; None: now.
        step: the step that a sublayout stands for, as its file's name says; "" where nobody said.
    """

    metadata: Metadata
    name: str
    received_us: int | None = None
    step: str = ""


Below = Callable[[Evidence, Layout, Step], tuple[Report, Sequence[Link]]]
"""Judges a sublayout: what came of it, and each summary (materials and products) that it proves."""


@dataclass(slots=True)
class Group:
    """Functionaries who say the same of a step: by key id, their names, and the evidence.

    Attributes:
        evidence: each has a signer whom none before it has.
        more: those whose signers are all known by others.
    """

    link: Link
    signers: dict[str, str] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    more: list[Evidence] = field(default_factory=list)


@dataclass(slots=True)
class Performed:
    """What is known of one step: groups in order of strength, and what doesn't count."""

    step: Step
    groups: list[Group] = field(default_factory=list)
    rejected: list[LinkReport] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    sublayouts: list[Report] = field(default_factory=list)

    @property
    def enough(self) -> list[Group]:
        """The groups that meet the threshold."""
        return [group for group in self.groups if len(group.signers) >= self.step.threshold]

    def short(self) -> StepReport:
        """The report of a step that too few did. What could not be looked at might have filled the gap."""
        most = max((len(group.signers) for group in self.groups), default=0)
        needed = self.step.threshold
        said = f"{needed} of its functionaries had to sign the same, and {most or 'nobody'} did."
        outcome = Outcome.REFUTED
        if self.unchecked and most + len(self.unchecked) >= needed:
            outcome = Outcome.INCONCLUSIVE
            said += f" Not everything could be checked: {self.unchecked[0]}."
        elif len(self.groups) > 1:
            said += " They don't agree on what it took and made."
        return StepReport(
            self.step.name,
            needed,
            most,
            outcome,
            said,
            links=self.links(None),
            sublayouts=tuple(self.sublayouts),
        )

    def links(self, chosen: Group | None) -> tuple[LinkReport, ...]:
        """Evidence for the step, that of `chosen` first, and each of its signers with some."""
        found = []
        for group in sorted(self.groups, key=lambda group: group is not chosen):
            for evidence in (*group.evidence, *group.more):
                names = tuple(group.signers.values())
                said = "Signed by the step's functionaries."
                if group is not chosen and chosen is not None:
                    said = "Signed by its functionaries, but it says otherwise: not used."
                found.append(
                    LinkReport(evidence.metadata.digest, evidence.name, names, group is chosen, said)
                )
        most = max(MAX_LINKS_SHOWN, len(chosen.evidence) if chosen else 0)
        return tuple((found + self.rejected)[:most])


def performed(
    step: Step,
    layout: Layout,
    pool: Iterable[Evidence],
    at_us: int,
    trials: Trials,
    belief: Belief,
    below: Below,
) -> Performed:
    """What the evidence says of a step. Raises: TooLargeError where a limit is met."""
    result = Performed(step)
    for evidence in pool:
        said = _standing_for(evidence, step)
        if said is None:
            continue
        moment = at_us if evidence.received_us is None else evidence.received_us
        signed = layouts_signers.functionaries(evidence.metadata, layout, step, moment, trials, belief)
        result.unchecked += [] if signed.by else signed.unchecked
        if not signed.by:
            if signed.disbelieved:
                belief.left_out.append(evidence.metadata)
            _reject(result, evidence, signed)
            continue
        for link in _links(evidence, said, layout, result, below):
            _add(result, link, evidence, {one.key_id: one.name for one in signed.by})
    result.groups.sort(key=lambda group: -len(group.signers))
    return result


def _standing_for(evidence: Evidence, step: Step) -> Link | str | None:
    """A link that names the step, "layout" for a sublayout that may be it, or None.

    Source: in-toto specification 0.9, sections 4.4 (`name`) and 5.2 (sublayouts go by their file's name).
    """
    if evidence.metadata.kind == "layout":
        return "layout" if evidence.step in ("", step.name) else None
    if evidence.metadata.content.get("name") != step.name:
        return None
    try:
        return layouts_model.link(evidence.metadata)
    except MalformedError as error:
        return error.message


def _reject(result: Performed, evidence: Evidence, signed: layouts_signers.Signed) -> None:
    left_out = (why for _, why in signed.disbelieved)
    why = next(iter((*left_out, *signed.refuted, *signed.unchecked)), "")
    if evidence.metadata.kind == "layout" and not why:
        return  # whoever signed it, it is some other step's
    why = why or "none of the step's functionaries signed it"
    result.rejected.append(
        LinkReport(evidence.metadata.digest, evidence.name, (), False, f"Not counted: {why}.")
    )


def _links(
    evidence: Evidence, said: Link | str, layout: Layout, result: Performed, below: Below
) -> Sequence[Link]:
    if isinstance(said, Link):
        return (said,)
    if evidence.metadata.kind == "link":
        result.rejected.append(
            LinkReport(evidence.metadata.digest, evidence.name, (), False, f"Not counted: {said}")
        )
        return ()
    report, summaries = below(evidence, layout, result.step)
    result.sublayouts.append(report)
    if report.outcome is Outcome.INCONCLUSIVE:
        result.unchecked.append(f"the layout that was signed for it is inconclusive: {report.reasons[0]}")
    return summaries


def _add(result: Performed, link: Link, evidence: Evidence, signers: dict[str, str]) -> None:
    for group in result.groups:
        if (group.link.materials, group.link.products) == (link.materials, link.products):
            break
    else:
        group = Group(link)
        result.groups.append(group)
    (group.evidence if signers.keys() - group.signers.keys() else group.more).append(evidence)
    group.signers.update(signers)
