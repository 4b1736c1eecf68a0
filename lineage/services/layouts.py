"""Adopting and withdrawing layouts: signed decisions of operators.

Owns: what such a decision needs before it may be an entry. Does not own: its form (`trust.layout_decisions`),
verdicts (`layout_verdicts`), or who may decide (the callers check roles and scopes).
"""

from __future__ import annotations

from collections.abc import Sequence

from lineage.errors import ConflictError, MalformedError
from lineage.services import as_of, decide, layout_records
from lineage.services.clock import now_us
from lineage.services.decide import MAX_NAME, MAX_REASON
from lineage.services.receipts import Submitted
from lineage.services.second_person import two_people
from lineage.trust import layout_decisions, layouts_metadata, layouts_model, layouts_rules, layouts_signers
from lineage.trust.digest import sha256_hex
from lineage.trust.keys import PublicKey, load_public
from lineage.trust.policy import KeyRing


@two_people("operator")
def adopt(data: bytes, owners: Sequence[bytes], name: str, reason: str, *, person: str) -> Submitted:
    """Adopt a signed layout (Metablock or DSSE): from then on artifacts are checked against it.

    `owners` are public keys (PEM or DER SPKI), each of which has to have signed it. `person` is an e-mail
    address, `token:<name>` or `os:<login>`.

    Raises: MalformedError that names the member, also for a layout that an owner did not sign or that has
        expired; TooLargeError; ConflictError where the layout is adopted already.
    """
    name, reason = _line(name, "A layout's name", MAX_NAME, "name"), _reason(reason)
    if not 1 <= len(owners) <= layout_decisions.MAX_OWNERS:
        raise MalformedError(f"Give 1 to {layout_decisions.MAX_OWNERS} owners' public keys.", where="owners")
    keys = tuple({key.key_id: key for key in map(_owner, owners)}.values())
    metadata = layouts_metadata.read(data)
    layout = layouts_model.layout(metadata)
    layouts_rules.check(layout)
    unsigned = layouts_signers.missing(metadata, keys, layouts_signers.Trials())
    if unsigned:
        raise MalformedError(
            f"The layout is not signed by the owner's key {unsigned[0].key_id}.",
            where="owners",
            hint="Each owner's key that is given has to have signed it.",
        )
    layout_id = sha256_hex(data)

    def judge(ring: KeyRing, at_us: int) -> None:
        if layout.expires_us <= at_us:
            raise MalformedError(f"The layout expired at {layout.expires}.", where="layout")
        known = layout_records.below(as_of.resolve(None).head).get(layout_id)
        if known is not None and known.withdrawn is None:
            raise ConflictError(f"The layout is adopted already, by entry {known.adopted.index}.")

    payload = layout_decisions.build_adopt(person, now_us(), data, keys, name, reason)
    return decide.record(payload, judge)


@two_people("operator")
def withdraw(layout_id: str, reason: str, *, person: str) -> Submitted:
    """End a layout: nothing is checked against it any more. What was found before stays in the log.

    Raises: MalformedError; NotFoundError; ConflictError where it is withdrawn already.
    """
    reason = _reason(reason)
    adopted = layout_records.one(layout_id, as_of.resolve(None))

    def judge(ring: KeyRing, at_us: int) -> None:
        now = layout_records.one(layout_id, as_of.resolve(None))
        if now.withdrawn is not None:
            raise ConflictError(f"The layout is withdrawn already, by entry {now.withdrawn.index}.")

    payload = layout_decisions.build_withdraw(person, now_us(), layout_id, adopted.name, reason)
    return decide.record(payload, judge)


def _owner(data: bytes) -> PublicKey:
    try:
        return load_public(data)
    except MalformedError as error:
        raise MalformedError(error.message, hint=error.hint, where="owners") from None


def _line(text: str, what: str, limit: int, where: str) -> str:
    try:
        return decide.line(text, what, limit)
    except MalformedError as error:
        raise MalformedError(error.message, where=where) from None


def _reason(text: str) -> str:
    return _line(text, "A reason", MAX_REASON, "reason")
