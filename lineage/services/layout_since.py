"""What has changed since a verdict by a layout: why it might be another one by now.

Owns: asking of each thing that a verdict rests on whether it is still believed. Does not own: the verdict
(`layout_verdicts`), or what makes somebody believed no more (`withdrawals`, `trust.layouts_belief`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lineage.db.models import Entry, Envelope
from lineage.errors import MalformedError, TooLargeError
from lineage.services import keyring, layout_handed, layout_records, withdrawals
from lineage.services.as_of import AsOf
from lineage.services.layout_handed import Handed
from lineage.services.layout_records import Adopted
from lineage.services.records import log_size
from lineage.trust import dsse, layouts_metadata, layouts_model, layouts_signers, statement
from lineage.trust.layouts import Evidence
from lineage.trust.layouts_belief import Belief
from lineage.trust.layouts_model import Layout, Step
from lineage.trust.layouts_signers import Trials
from lineage.trust.leaf import parse_rfc3339
from lineage.trust.opened import open_signed
from lineage.trust.policy import KeyRing


@dataclass(frozen=True, slots=True)
class _Use:
    """That a verdict rests on the evidence `digest` for a step of the layout `layout`, both hex digests.

    `signers`: the names of who signed it, or others that say the same.
    """

    layout: str
    step: str
    digest: str
    signers: frozenset[str]


def since(
    report: dict[str, Any], adopted: Adopted | None, entry: Entry, parsed: statement.Statement, moment: AsOf
) -> tuple[str, ...]:
    """Why the verdict in `entry`, with this report, might be another one at the moment; sentences.

    `adopted`: its layout as of the moment, None where its adoption is not believed any more.
    """
    said = []
    size = log_size(moment)
    if adopted is None:
        said.append("The layout's adoption is not believed any more.")
    elif adopted.withdrawn is not None:
        said.append(
            f"The layout was withdrawn by entry {adopted.withdrawn.index}: {adopted.withdrawn.reason}"
        )
    expires = str(report.get("expires", ""))
    if expires and parse_rfc3339(expires) <= moment.at_us and entry.received_us < parse_rfc3339(expires):
        said.append(f"The layout has expired since, at {expires}.")
    ring = keyring.as_of(size)
    if withdrawals.entry_trust(entry, parsed, ring, size) == "revoked":
        said.append("The verdict itself is not believed any more.")
    gone, untold = _handed_gone(report, adopted, entry, size) if adopted else ([], [])
    if gone := [*_gone(report, size), *gone]:
        said.append(f"A link that it rests on is not believed any more: {', '.join(gone)}. Check again.")
    if untold:
        names = ", ".join(untold)
        said.append(
            f"Whether a link that it rests on is believed can't be told any more: {names}. Check again."
        )
    return tuple(said)


def _gone(report: dict[str, Any], size: int) -> list[str]:
    """The logged links, used in the verdict, whose signer was revoked, or that were withdrawn or redacted."""
    digests = {use.digest for use in _uses(report)}
    gone = []
    ring = keyring.as_of(size)
    for entry in Entry.objects.filter(envelope_digest__in=digests).order_by("index"):
        content = Envelope.objects.filter(pk=entry.index).values_list("content", flat=True).first()
        if content is None:  # redacted
            gone.append(f"entry {entry.index}")
            continue
        envelope = open_signed(bytes(content)).envelope
        parsed = statement.parse(envelope.payload_type, envelope.payload)
        if withdrawals.entry_trust(entry, parsed, ring, size) == "revoked":
            gone.append(f"entry {entry.index}")
    return gone


def _handed_gone(
    report: dict[str, Any], adopted: Adopted, entry: Entry, size: int
) -> tuple[list[str], list[str]]:
    """Names of files, handed in and used in the verdict, that would not count as of tree size `size`.

    Then those of which that can't be told.
    """
    handed = report["handedIn"]
    files = [Handed(each["name"], dsse.decode_base64(each["content"], where="$")) for each in handed]
    found = layout_handed.read(files)
    rested = {each.metadata.digest for each in found} & {use.digest for use in _uses(report)}
    logged = Entry.objects.filter(envelope_digest__in=rested, index__lt=entry.index)
    rested -= set(logged.values_list("envelope_digest", flat=True))  # those came in by themselves, and before
    if not rested:
        return [], []
    uses = [use for use in _uses(report) if use.digest in rested]
    gone, untold = _signers_gone(adopted, found, uses, entry.received_us, keyring.as_of(size))
    taken_back = withdrawals.statements(size)
    said = layout_handed.statements(files, found)
    gone |= {each.metadata.digest for each, of in zip(found, said, strict=True) if of in taken_back} & rested
    return _names(found, gone), _names(found, untold - gone)


def _names(found: Sequence[Evidence], digests: Collection[str]) -> list[str]:
    return [each.name for each in found if each.metadata.digest in digests]


def _signers_gone(
    adopted: Adopted, found: Sequence[Evidence], uses: Sequence[_Use], at_us: int, ring: KeyRing
) -> tuple[set[str], set[str]]:
    """Digests of the files in `uses` of whose signers one was revoked by `at_us` (µs); those not told of.

    Nothing else that was handed in is looked at: whoever asks for a verdict may hand in as much as he likes.
    """
    gone: set[str] = set()
    untold: set[str] = set()
    if not any(ring.revoked(signer, at_us) for signer in ring.effective):
        return gone, untold
    files = {each.metadata.digest: each.metadata for each in found}
    steps = dict(_steps(adopted, found, {use.layout for use in uses}))
    trials, belief = Trials(), Belief(ring)
    for use in uses:
        if (use.layout, use.step) not in steps:
            untold.add(use.digest)
            continue
        layout, step = steps[use.layout, use.step]
        try:
            signed = layouts_signers.functionaries(files[use.digest], layout, step, at_us, trials, belief)
        except TooLargeError:
            untold.add(use.digest)
            continue
        if use.signers.intersection(name for name, _ in signed.disbelieved):
            gone.add(use.digest)
    return gone, untold


def _steps(
    adopted: Adopted, found: Sequence[Evidence], wanted: Collection[str]
) -> Iterator[tuple[tuple[str, str], tuple[Layout, Step]]]:
    """Those of the layouts `wanted` (digests), by layout and name: the verdict's own or handed in for it."""
    own = layouts_metadata.read(layout_records.content(adopted))
    for metadata in {each.digest: each for each in (own, *(each.metadata for each in found))}.values():
        if metadata.digest not in wanted:
            continue
        try:
            layout = layouts_model.layout(metadata)
        except (MalformedError, TooLargeError):
            continue
        for step in layout.steps:
            yield (metadata.digest, step.name), (layout, step)


def _uses(report: Mapping[str, Any]) -> Iterator[_Use]:
    """What a report rests on, each for its step; its sublayouts' too."""
    for step in report.get("steps", ()):
        for link in step.get("links", ()):
            if link.get("used"):
                signers = frozenset(link["signers"])
                yield _Use(report["layout"], step["name"], str(link["digest"]), signers)
        for below in step.get("sublayouts", ()):
            yield from _uses(below)
