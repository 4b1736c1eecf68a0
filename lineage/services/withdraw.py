"""Withdrawing a statement: a signed decision of a person, after which nothing that it said is believed.

Owns: what a withdrawal needs before it may be an entry. Does not own: its form (`trust.statement_decisions`),
what follows (`withdrawals`, `project_batch`), or who may decide (the callers check roles and scopes).
"""

from __future__ import annotations

from lineage import predicates
from lineage.db.models import Entry
from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.services import as_of, decide, withdrawals
from lineage.services.clock import now_us
from lineage.services.decide import MAX_REASON
from lineage.services.receipts import Submitted
from lineage.services.second_person import two_people
from lineage.trust import statement_decisions
from lineage.trust.policy import KeyRing
from lineage.trust.statement_decisions import StatementDecision


@two_people("officer")
def withdraw(statement: str, reason: str, *, person: str) -> Submitted:
    """From the decision's entry on, nothing counts that the statement said, whoever signed it how often.

    `statement` is the digest of a verified payload, `sha256:<hex>`; what was believed before stays so as of
    then. `person` is an e-mail address, `token:<name>` or `os:<login>`.

    Raises: MalformedError that names the member; NotFoundError where no entry has that statement;
    ConflictError
        where it is a decision, or withdrawn already.
    """
    value = statement_decisions.digest_hex(statement.strip())
    try:
        reason = decide.line(reason, "A reason", MAX_REASON)
    except MalformedError as error:
        raise MalformedError(error.message, where="reason") from None
    entry = Entry.objects.filter(statement_digest=value).order_by("index").first()
    if entry is None:
        raise NotFoundError(
            f"No entry has the statement {statement.strip()}.",
            hint="A statement's digest is that of its payload, not of the envelope around it.",
            where="statement",
        )
    if entry.kind == Entry.Kind.DECISION:
        raise ConflictError(
            "A decision can't be withdrawn.", hint="Decide otherwise: the newest counts.", where="statement"
        )

    def judge(ring: KeyRing, at_us: int) -> None:
        known = withdrawals.of(value, as_of.resolve(None).head)
        if known is not None:
            raise ConflictError(
                f"The statement is withdrawn already, by entry {known.index}.", where="statement"
            )

    body = StatementDecision(f"sha256:{value}", reason)
    return decide.record(statement_decisions.build(person, now_us(), body, _name(entry)), judge)


def _name(entry: Entry) -> str:
    """What the decision calls the statement."""
    known = predicates.find(entry.predicate_type)
    return f"{known.title if known else entry.predicate_type}, entry {entry.index}"
