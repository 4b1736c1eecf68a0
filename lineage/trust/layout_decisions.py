"""Decisions about layouts: writing their statements, and reading them again.

Owns: the bodies of adopt-layout and withdraw-layout. Does not own: who may decide (`services.layouts`), what
a layout asks (`layouts`), or the form around the body (`decision_form`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineage.errors import MalformedError
from lineage.trust import decision_form, dsse
from lineage.trust.decision_form import Decision
from lineage.trust.digest import sha256_hex
from lineage.trust.keys import PublicKey, load_public
from lineage.trust.statement import Statement

ADOPT_LAYOUT = "adopt-layout"
WITHDRAW_LAYOUT = "withdraw-layout"
ACTIONS = (ADOPT_LAYOUT, WITHDRAW_LAYOUT)
MAX_OWNERS = 32


class _Adopt(msgspec.Struct, forbid_unknown_fields=True):
    layout: str
    owners: list[str]
    reason: str


class _Withdraw(msgspec.Struct, forbid_unknown_fields=True):
    layout: str
    reason: str


class LayoutDecision(msgspec.Struct, frozen=True):
    """What was decided of the layout `layout_id` (hex SHA-256 of its bytes), which people call `name`.

    `data` are the layout's bytes as received, and `owners` the keys that have to have signed it; both are
    empty where it is withdrawn.
    """

    layout_id: str
    name: str
    reason: str
    data: bytes = b""
    owners: tuple[PublicKey, ...] = ()


_ADOPT = msgspec.json.Decoder(_Adopt)
_WITHDRAW = msgspec.json.Decoder(_Withdraw)


def build_adopt(
    person: str, at_us: int, data: bytes, owners: Sequence[PublicKey], name: str, reason: str
) -> bytes:
    """The statement's payload: the layout itself is in it, so that whoever reads the log can judge by it."""
    body = {
        "layout": dsse.encode_base64(data),
        "owners": [owner.pem().decode("ascii") for owner in owners],
        "reason": reason,
    }
    subjects = [(name, {"sha256": sha256_hex(data)})]
    return decision_form.build(ADOPT_LAYOUT, person, at_us, body=body, subjects=subjects)


def build_withdraw(person: str, at_us: int, layout_id: str, name: str, reason: str) -> bytes:
    """The statement's payload. `layout_id` is hex."""
    body = {"layout": f"sha256:{layout_id}", "reason": reason}
    subjects = [(name, {"sha256": layout_id})]
    return decision_form.build(WITHDRAW_LAYOUT, person, at_us, body=body, subjects=subjects)


def read(decision: Decision, statement: Statement) -> LayoutDecision:
    """The body of a decision whose action is one of `ACTIONS`, in the statement `statement`.

    Raises: MalformedError for another form, an owner's key that is none, or a subject that is not the layout.
    """
    if decision.action == WITHDRAW_LAYOUT:
        raw = decision_form.read_body(_WITHDRAW, decision.body)
        found = LayoutDecision(raw.layout.removeprefix("sha256:"), "", raw.reason)
    else:
        adopt = decision_form.read_body(_ADOPT, decision.body)
        data = dsse.decode_base64(adopt.layout, where="$.predicate.body.layout")
        if not 1 <= len(adopt.owners) <= MAX_OWNERS:
            raise MalformedError(f"A layout has 1 to {MAX_OWNERS} owners.", where="$.predicate.body.owners")
        owners = tuple(load_public(pem.encode("utf-8")) for pem in adopt.owners)
        found = LayoutDecision(sha256_hex(data), "", adopt.reason, data, owners)
    if not found.reason:
        raise MalformedError("A decision about a layout says why.", where="$.predicate.body.reason")
    if [dict(subject.digests) for subject in statement.subjects] != [{"sha256": found.layout_id}]:
        raise MalformedError(
            "The layout is not the decision's only subject.", where="$.predicate.body.layout"
        )
    return msgspec.structs.replace(found, name=statement.subjects[0].name)
