"""What has changed since a verdict by a layout: why it might be another one by now.

Owns: asking of each thing that a verdict rests on whether it is still believed. Does not own: the verdict
(`layout_verdicts`), or what makes somebody believed no more (`withdrawals`, `trust.layouts_belief`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
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
from lineage.trust.layouts_model import Layout
from lineage.trust.layouts_signers import Trials
from lineage.trust.leaf import parse_rfc3339
from lineage.trust.opened import open_signed
from lineage.trust.policy import KeyRing


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
    gone = [*_gone(report, size), *(_handed_gone(report, adopted, entry, size) if adopted else ())]
    if gone:
        said.append(f"A link that it rests on is not believed any more: {', '.join(gone)}. Check again.")
    return tuple(said)


def _gone(report: dict[str, Any], size: int) -> list[str]:
    """The logged links, used in the verdict, whose signer was revoked, or that were withdrawn or redacted."""
    digests = set(_used(report))
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


def _handed_gone(report: dict[str, Any], adopted: Adopted, entry: Entry, size: int) -> Iterator[str]:
    """Names of files, handed in and used in the verdict, that would not count as of tree size `size`."""
    used = _used(report)
    handed = report["handedIn"]
    files = [Handed(each["name"], dsse.decode_base64(each["content"], where="$")) for each in handed]
    found = layout_handed.read(files)
    rested = {each.metadata.digest for each in found} & set(used)
    logged = Entry.objects.filter(envelope_digest__in=rested, index__lt=entry.index)
    rested -= set(logged.values_list("envelope_digest", flat=True))  # those came in by themselves, and before
    if not rested:
        return
    taken_back = withdrawals.statements(size)
    said = layout_handed.statements(files, found)
    withdrawn = [each for each, digest in zip(found, said, strict=True) if digest in taken_back]
    gone = _signers_gone(adopted, found, entry.received_us, keyring.as_of(size))
    for each in found:
        digest = each.metadata.digest
        if digest in rested and (each in withdrawn or gone.get(digest, set()) & used[digest]):
            yield each.name


def _signers_gone(
    adopted: Adopted, found: Sequence[Evidence], at_us: int, ring: KeyRing
) -> Mapping[str, set[str]]:
    """By digest, the names of functionaries who signed it and were revoked by `at_us` (µs)."""
    gone: dict[str, set[str]] = {}
    if not any(ring.revoked(signer, at_us) for signer in ring.effective):
        return gone
    trials, belief = Trials(), Belief(ring)
    for layout in _layouts(adopted, found):
        for step, each in product(layout.steps, found):
            try:
                signed = layouts_signers.functionaries(each.metadata, layout, step, at_us, trials, belief)
            except TooLargeError:
                return gone
            gone.setdefault(each.metadata.digest, set()).update(name for name, _ in signed.disbelieved)
    return gone


def _layouts(adopted: Adopted, found: Sequence[Evidence]) -> Iterator[Layout]:
    """The verdict's own, and those that were handed in for its steps."""
    below = [each.metadata for each in found if each.metadata.kind == "layout"]
    for metadata in [layouts_metadata.read(layout_records.content(adopted)), *below]:
        try:
            yield layouts_model.layout(metadata)
        except (MalformedError, TooLargeError):
            continue  # the verdict says what is wrong with it


def _used(report: dict[str, Any]) -> dict[str, set[str]]:
    """By digest (hex) what a report rests on, with who signed it for a step; its sublayouts' too."""
    found: dict[str, set[str]] = {}
    for step in report.get("steps", ()):
        for link in step.get("links", ()):
            if link.get("used"):
                found.setdefault(str(link["digest"]), set()).update(link["signers"])
        for below in step.get("sublayouts", ()):
            for digest, signers in _used(below).items():
                found.setdefault(digest, set()).update(signers)
    return found
