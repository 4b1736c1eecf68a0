"""Observations: what the platform itself has found, signed by one of its own keys, ready for the log.

Owns: the signature and what it needs before it may be an entry. Does not own: looking (`reverify`), or the
form of what was found (`lineage.predicates`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from lineage.db.models import Entry
from lineage.errors import KeyNotValidError
from lineage.services import keyring, platform_keys
from lineage.services.log_batch import Prepared
from lineage.trust import dsse, statement
from lineage.trust.digest import sha256_hex
from lineage.trust.policy import KeyRing

Role = Literal["collector", "reverifier", "platform"]


def prepare(
    role: Role,
    predicate_type: str,
    keys: Iterable[str],
    predicate: Mapping[str, object],
    ring: KeyRing | None = None,
) -> Prepared:
    """A statement of the key `role` about the artifacts `keys` (node keys), each once, in that order.

    `ring`: that of a moment ago, where many are made at once; without it the database is asked for it.
    """
    digests = [dict([key.split(":", 1)]) for key in dict.fromkeys(keys)]
    return statement_of(role, predicate_type, [{"digest": digest} for digest in digests], predicate, ring)


def statement_of(
    role: Role,
    predicate_type: str,
    subjects: Sequence[Mapping[str, object]],
    predicate: Mapping[str, object],
    ring: KeyRing | None = None,
) -> Prepared:
    """A statement of the key `role` about `subjects`, resource descriptors. `ring` as in `prepare`."""
    content = {
        "_type": statement.STATEMENT_V1,
        "subject": list(subjects),
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    payload = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return _signed(role, payload, ring or keyring.current())


def _signed(role: Role, payload: bytes, ring: KeyRing) -> Prepared:
    key = platform_keys.one(ring, role)
    key_id = key.public.key_id

    def judge(now: KeyRing, at_us: int) -> None:
        if now.holder(role) != key.public:
            raise KeyNotValidError(f"The key of the {role} is not the log's {role} key any more.")

    envelope = dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload, key)
    return Prepared(
        kind=Entry.Kind.OBSERVATION,
        envelope=envelope,
        envelope_digest=sha256_hex(envelope),
        statement=statement.parse(dsse.INTOTO_PAYLOAD_TYPE, payload),
        key_ids=(key_id,),
        policy_index=ring.policy_index,
        judge=judge,
        renew=lambda newer: _signed(role, payload, newer),
    )
