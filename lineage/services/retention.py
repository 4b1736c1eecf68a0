"""Retention by class: how long entries are kept, by a signed decision; a daily job redacts what is older.

Each redaction that follows from it is a signed decision of its own, that names the policy and whoever adopted
it: adopting needs two people, following it does not. Owns: the policy in force, what it no longer keeps, the
job. Does not own: its form (`trust.forgetting_decisions`), what may be redacted at all (`redactable`,
`redaction_effects`): that is kept, however old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from lineage.db.models import Entry, Redaction
from lineage.errors import ConflictError, MalformedError
from lineage.predicates.base import BadNews
from lineage.services import (
    append,
    decide,
    erasing,
    forgetting,
    keyring,
    log_head,
    redact,
    redactable,
    redaction_effects,
    standing,
)
from lineage.services.clock import now_us
from lineage.services.decide import MAX_REASON
from lineage.services.forgetting import Decided
from lineage.services.job_lease import Lease, Result
from lineage.services.receipts import Submitted
from lineage.services.second_person import two_people
from lineage.trust import forgetting_decisions
from lineage.trust.forgetting_decisions import MAX_ENVELOPES, Retention, RetentionClass
from lineage.trust.policy import KeyRing

KIND = "retention"
DAY_US = 86_400_000_000
REASON = "The retention policy keeps it no longer."
_PAGE = 500
"""Entries looked at together; with others that hold the same statements, they must fit one decision."""
_KINDS = (Entry.Kind.ATTESTATION, Entry.Kind.OBSERVATION)


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy, and the decision that adopted it."""

    decided: Decided
    policy: Retention


def current(size: int | None = None) -> InForce | None:
    """The newest policy below the tree size (None: now); None: nobody has adopted any, all is kept."""
    for each in reversed(forgetting.believed(size)):
        if isinstance(each.body, Retention):
            return InForce(each, each.body)
    return None


@two_people("officer")
def adopt(policy: Retention, *, person: str) -> Submitted:
    """From the decision's entry on the policy is in force; one without classes keeps everything for ever.

    Raises: MalformedError that names the member; ConflictError where its classes are in force already.
    """
    try:
        body = Retention(policy.classes, decide.line(policy.reason, "A reason", MAX_REASON))
    except MalformedError as error:
        raise MalformedError(error.message, where="reason") from None
    forgetting_decisions.checked_retention(body)

    def judge(ring: KeyRing, at_us: int) -> None:
        known = current()
        if known is not None and known.policy.classes == body.classes:
            raise ConflictError(f"That policy is in force already, by entry {known.decided.index}.")

    return decide.record(forgetting_decisions.build_retention(person, now_us(), body), judge)


def run(lease: Lease) -> Result:
    """The job: carry out what was decided, then what the policy asks for."""

    def tick(note: str = "erasing") -> None:
        lease.progress(0, 0, note)

    gone = erasing.carry_out(tick)  # after which the graph is made anew
    size = log_head.size()
    standing.for_job(lease, size)
    decided, kept = enforce(now_us(), size, lambda: tick("deciding"))
    return {"decided": decided, "kept_all_the_same": kept, "erased": gone + erasing.carry_out(tick)}


def enforce(at_us: int, size: int, tick: Callable[[], None] = lambda: None) -> tuple[int, int]:
    """Decide to redact what the policy in force no longer keeps at `at_us`, with the log's first `size`
    entries in view; `tick` is called before each decision.

    Returns how many entries, and how many that are as old must stay.

    Raises: GraphBehindError where the graph does not tell all of those.
    """
    in_force = current()
    if in_force is None:
        return 0, 0
    gone: set[int] = set()
    kept = 0
    for old in _old(in_force.policy, at_us):
        tick()
        news = redactable.bad_news(old)
        refused = redactable.refusals(old, news)
        free = [entry for entry in old if entry.index not in refused]
        refused |= redaction_effects.hidden(free, size, gone) if free else {}
        # A statement goes with all its entries, or stays with all.
        stay = {entry.statement_digest for entry in old if entry.index in refused}
        free = [entry for entry in free if entry.statement_digest not in stay]
        kept += len(old) - len(free)
        if free:
            _follow(in_force, free, news)
            gone.update(entry.index for entry in free)
    return len(gone), kept


def days_of(policy: Retention, entry: Entry) -> int | None:
    """For how many days an entry is kept; None: for ever."""
    return next((each.days for each in policy.classes if _belongs(each, entry)), None)


def _belongs(each: RetentionClass, entry: Entry) -> bool:
    of_kind = not each.kinds or entry.kind in each.kinds
    return of_kind and (not each.predicate_types or entry.predicate_type in each.predicate_types)


def _old(policy: Retention, at_us: int) -> Iterator[list[Entry]]:
    """Entries older than their class keeps them, whose bytes are there, with all entries of their statements.

    Of a statement that was sent again the newest entry counts.
    """
    days = [each.days for each in policy.classes if each.days is not None]
    if not days:
        return
    redacted = Redaction.objects.filter(envelope_digest=OuterRef("envelope_digest"), refused="")
    rows = Entry.objects.filter(kind__in=_KINDS, received_us__lt=at_us - min(days) * DAY_US)
    rows = rows.exclude(Exists(redacted)).order_by("index")
    after, seen = -1, set[str]()
    while page := list(rows.filter(index__gt=after)[:_PAGE]):
        after = page[-1].index
        wanted = {e.statement_digest for e in page if _is_old(policy, e, at_us)} - seen
        groups: dict[str, list[Entry]] = {}
        for entry in Entry.objects.filter(statement_digest__in=wanted).order_by("index"):
            groups.setdefault(entry.statement_digest, []).append(entry)
        taken = [each for each in groups.values() if all(_is_old(policy, e, at_us) for e in each)]
        seen.update(digest for digest, each in groups.items() if len(each) > 1)
        yield from _packed(taken)


def _is_old(policy: Retention, entry: Entry, at_us: int) -> bool:
    days = days_of(policy, entry)
    return days is not None and entry.received_us < at_us - days * DAY_US


def _packed(groups: Sequence[list[Entry]]) -> Iterator[list[Entry]]:
    """Groups together, as many as one decision names. One that is too large for it stays."""
    pack: list[Entry] = []
    for group in groups:
        if len(group) > MAX_ENVELOPES:
            continue
        if len(pack) + len(group) > MAX_ENVELOPES:
            yield pack
            pack = []
        pack += group
    if pack:
        yield sorted(pack, key=lambda entry: entry.index)


def _follow(in_force: InForce, entries: Sequence[Entry], news: Mapping[int, BadNews]) -> None:
    """Sign a redaction for whoever adopted the policy. Raises: ConflictError where a hold came before it."""

    def judge(ring: KeyRing, at_us: int) -> None:
        refused = redactable.refusals(entries, news)
        if refused:
            raise ConflictError(f"Entry {min(refused)} is held since a moment ago.")

    decided = in_force.decided
    person = f"policy:{decided.index} ({decided.person})"
    payload = redact.payload(entries, news, REASON, person, policy=decided.index)
    # Not `decide.record`, which asks for a second person: two have adopted the policy where two are needed.
    append.raise_first(append.append([decide.sign(payload, keyring.current(), judge)]))
