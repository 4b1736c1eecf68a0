"""Verdicts on artifacts by layouts: asked for, appended to the log as signed summaries, and read again.

Owns: what goes into a question, and the statement that answers it. Does not own: the judgement
(`trust.layouts`), the links in the log (`layout_links`), files that are handed in (`layout_handed`), the
statement's form (`predicates.verification_summary`), or what has changed since (`layout_since`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from lineage.config import current
from lineage.db.models import Entry, Envelope, LogHead
from lineage.errors import ConflictError, MalformedError, NotFoundError, TooLargeError
from lineage.graph.model import IDENTIFYING_ALGORITHMS
from lineage.predicates import verification_summary
from lineage.predicates.verification_summary import LAYOUT_VERDICT, PASSED, Summary
from lineage.services import (
    access_records,
    append,
    as_of,
    keyring,
    layout_handed,
    layout_links,
    layout_records,
    layout_since,
    lineage_closure,
    observe,
    receipts,
    redactions,
    withdrawals,
)
from lineage.services.as_of import AsOf
from lineage.services.clock import now_us
from lineage.services.layout_handed import Handed
from lineage.services.layout_records import Adopted
from lineage.services.lineage_nodes import Reader
from lineage.services.receipts import Submitted
from lineage.services.records import log_size
from lineage.trust import dsse, layouts, layouts_metadata, layouts_model, statement
from lineage.trust.layouts import Evidence, Report
from lineage.trust.layouts_belief import Belief
from lineage.trust.layouts_report import to_json
from lineage.trust.leaf import rfc3339
from lineage.trust.opened import open_signed
from lineage.trust.verify import Outcome

SHOWN = 50
LOOKED_AT = 500
"""Newest summaries that are read to list those of one layout."""


class Verdict(msgspec.Struct, frozen=True):
    """A summary in the log, ours or a pipeline's. `digest` names its envelope (`sha256:<hex>`).

    `artifact` is the node key that it is about; `layout_id` the hex of the layout, "" where it is by another
    policy or by a layout whose adoption is not believed any more; `person` who asked; `since` what is
    otherwise by now, in sentences.
    """

    digest: str
    index: int
    received_at: str
    kind: str
    artifact: str
    artifact_name: str
    layout_id: str
    person: str
    summary: Summary
    report: dict[str, Any]
    since: tuple[str, ...]


def verify(layout_id: str, artifact: str, handed: Sequence[Handed] = (), *, person: str) -> Submitted:
    """Check an artifact (a node key) against an adopted layout, and append the verdict to the log.

    The links are those of the log about it, and what is handed in; the key ring is asked who of those that
    signed them is believed. `person` asked.

    Raises: NotFoundError for an unknown layout or artifact; ConflictError for a layout that is withdrawn;
        MalformedError that names the member; TooLargeError; RedactedError where a file has a statement whose
        bytes were erased.
    """
    moment = as_of.resolve(None)
    adopted = layout_records.one(layout_id, moment)
    if adopted.withdrawn is not None:
        raise ConflictError(f"The layout is withdrawn, by entry {adopted.withdrawn.index}.")
    name = _known_artifact(artifact, moment)
    given = layout_handed.read(handed)
    data = layout_records.content(adopted)
    steps = _steps([layouts_metadata.read(data), *(each.metadata for each in given)])
    logged = layout_links.about(artifact, steps, moment.head)
    withdrawn = _withdrawn(handed, given, moment.head)
    scheme, _, value = artifact.partition(":")
    pool = [*logged.links.values(), *(each for each in given if each not in withdrawn)]
    at_us = _log_time_us()
    belief = Belief(keyring.as_of(moment.head))
    report = layouts.verify_layout(data, adopted.owners, pool, {scheme: value}, at_us, belief)
    if report.outcome is Outcome.REFUTED and (said := _not_seen(logged)):
        report = replace(report, outcome=Outcome.INCONCLUSIVE, reasons=(said, *report.reasons))
    left_out = _not_believed(logged, given, withdrawn, belief, report)
    predicate = _predicate(adopted, artifact, report, pool, handed, at_us, person, moment.head, left_out)
    subjects = [{"name": name, "digest": {scheme: value}}]
    prepared = observe.statement_of("platform", verification_summary.URI, subjects, predicate)
    limit = current().max_envelope_bytes
    if len(prepared.envelope) > limit:
        raise TooLargeError(f"The verdict would have more than {limit:,} bytes.", limit=limit)
    appended = append.raise_first(append.append([prepared]))
    access_records.decided(appended.index)
    return receipts.submitted(prepared, appended)


def _withdrawn(handed: Sequence[Handed], given: Sequence[Evidence], size: int) -> list[Evidence]:
    """Those of the files whose statements were withdrawn. Raises: RedactedError, as for what is sent."""
    taken_back = withdrawals.statements(size)
    said = layout_handed.statements(handed, given)
    for digest in filter(None, said):
        redactions.refuse_again(digest)
    return [each for each, digest in zip(given, said, strict=True) if digest in taken_back]


def _log_time_us() -> int:
    """When what is handed in enters the log with its verdict (µs). A clock may step back; the log doesn't."""
    last_us = LogHead.objects.values_list("last_received_us", flat=True).get(pk=1)
    return max(now_us(), last_us)


def _not_believed(
    logged: layout_links.Found,
    given: Sequence[Evidence],
    withdrawn: Sequence[Evidence],
    belief: Belief,
    report: Report,
) -> list[int | str]:
    """What was left out: log indexes of links, then the names of files that were handed in."""
    used = set(report.used())
    out = [metadata for metadata in belief.left_out if metadata.digest not in used]
    indexes = {index for index, each in logged.links.items() if each.metadata in out}
    names = [each.name for each in given if each in withdrawn or each.metadata in out]
    return [*sorted({*logged.not_believed, *indexes}), *dict.fromkeys(names)]


def _not_seen(logged: layout_links.Found) -> str:
    """Why there may be a link that was not looked at; "" where there is none."""
    if logged.incomplete:
        return f"There are more logged links than {layout_links.MAX_LINKS}, and not all were looked at."
    if logged.behind:
        return "The graph has not followed all logged links yet: one may be missing. Ask again in a moment."
    return ""


def _known_artifact(key: str, moment: AsOf) -> str:
    """The artifact's shown name. Raises: NotFoundError; MalformedError where it is no artifact with bytes."""
    if "\0" in key or key.partition(":")[0] not in IDENTIFYING_ALGORITHMS:
        raise MalformedError(
            "An artifact's key begins with a digest's name, such as sha256:…", where="artifact"
        )
    number, _ = lineage_closure.find(key, moment, "artifact")
    return Reader(moment).summaries([number])[number].name


def _steps(metadata: Sequence[layouts_metadata.Metadata]) -> frozenset[str]:
    """The names of all steps of the layouts among them."""
    found: set[str] = set()
    for each in metadata:
        if each.kind != "layout":
            continue
        try:
            found.update(step.name for step in layouts_model.layout(each).steps)
        except (MalformedError, TooLargeError):
            continue  # the verdict says what is wrong with it
    return frozenset(found)


def _predicate(
    adopted: Adopted,
    artifact: str,
    report: Report,
    pool: Sequence[Evidence],
    handed: Sequence[Handed],
    at_us: int,
    person: str,
    size: int,
    not_believed: Sequence[int | str],
) -> dict[str, object]:
    """Source: SLSA 1.0, verification_summary/v1. What could not be checked did not pass."""
    passed = report.outcome is Outcome.VERIFIED
    used = set(report.used())
    inputs = [
        {"name": each.name, "digest": {"sha256": each.metadata.digest}}
        for each in pool
        if each.metadata.digest in used
    ]
    origin = LogHead.objects.values_list("origin", flat=True).get(pk=1)
    return {
        "verifier": {"id": f"urn:lineage:log:{origin}"},
        "timeVerified": rfc3339(at_us),
        "resourceUri": f"urn:lineage:artifact:{artifact}",
        "policy": {
            "uri": f"urn:lineage:layout:{adopted.layout_id}",
            "digest": {"sha256": adopted.layout_id},
        },
        "inputAttestations": inputs,
        "verificationResult": PASSED if passed else "FAILED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_UNEVALUATED"] if passed else ["FAILED"],
        LAYOUT_VERDICT: {
            **to_json(report),
            "name": adopted.name,
            "adoptedBy": adopted.adopted.index,
            "person": person,
            "treeSize": size,
            "notBelieved": not_believed,
            "handedIn": [
                {"name": each.name.strip(), "content": dsse.encode_base64(each.data)} for each in handed
            ],
        },
    }


def of_artifact(key: str, moment: AsOf, limit: int = SHOWN) -> list[Verdict]:
    """Summaries about an artifact, by anybody, newest first."""
    rows = Entry.objects.filter(
        predicate_type=verification_summary.URI, index__lt=log_size(moment), subjects__digest=key
    )
    return list(_read(rows.order_by("-index").distinct()[:limit], moment))


def of_layout(layout_id: str, moment: AsOf, limit: int = SHOWN) -> list[Verdict]:
    """Our verdicts by a layout, newest first, among the newest summaries of the log."""
    rows = Entry.objects.filter(
        predicate_type=verification_summary.URI, kind=Entry.Kind.OBSERVATION, index__lt=log_size(moment)
    )
    found = (each for each in _read(rows.order_by("-index")[:LOOKED_AT], moment))
    return [each for each in found if each.layout_id == layout_id][:limit]


def one(digest: str, moment: AsOf) -> Verdict:
    """The verdict whose envelope is `sha256:<hex>`. Raises: NotFoundError."""
    rows = Entry.objects.filter(
        predicate_type=verification_summary.URI,
        envelope_digest=digest.removeprefix("sha256:"),
        index__lt=log_size(moment),
    )
    found = next(_read(rows, moment), None)
    if found is None:
        raise NotFoundError(f"There is no verdict {digest[:80]}.")
    return found


def _read(rows: Any, moment: AsOf) -> Iterator[Verdict]:
    for entry in rows:
        content = Envelope.objects.filter(pk=entry.index).values_list("content", flat=True).first()
        if content is None:
            continue
        envelope = open_signed(bytes(content)).envelope
        try:
            parsed = statement.parse(envelope.payload_type, envelope.payload)
            yield _verdict(entry, parsed, moment)
        except (MalformedError, TooLargeError):
            continue  # listed among the statements that the graph could not digest


def _verdict(entry: Entry, parsed: statement.Statement, moment: AsOf) -> Verdict:
    found = verification_summary.summary(parsed)
    ours = entry.kind == Entry.Kind.OBSERVATION
    report = verification_summary.report(parsed) if ours else {}
    subject = parsed.subjects[0]
    scheme = next((s for s in IDENTIFYING_ALGORITHMS if s in subject.digests), "")
    adopted = layout_records.below(log_size(moment)).get(found.policy_sha256) if report else None
    return Verdict(
        f"sha256:{entry.envelope_digest}",
        entry.index,
        rfc3339(entry.received_us),
        entry.kind,
        f"{scheme}:{subject.digests[scheme]}" if scheme else "",
        subject.name,
        "" if adopted is None else adopted.layout_id,
        str(report.get("person", "")),
        found,
        report,
        layout_since.since(report, adopted, entry, parsed, moment) if report else (),
    )
