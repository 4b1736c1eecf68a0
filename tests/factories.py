"""What tests are made of: signed envelopes, registered keys, API keys, people. Everything is the real thing.

Keys are fresh in each test; statements are plain dicts, so that a test can break them as it likes.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any

from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE, pae
from lineage.trust.keys import PrivateKey, generate_ed25519
from lineage.trust.policy import Scopes

STATEMENT_V1 = "https://in-toto.io/Statement/v1"
STATEMENT_V01 = "https://in-toto.io/Statement/v0.1"
SLSA_V1 = "https://slsa.dev/provenance/v1"
GENERIC = "https://example.com/anything/v1"
BUILDER = "https://example.com/builder"
PERSON = "operator@example.com"
ANY = Scopes(any=True)

_numbers = itertools.count(1)


def fresh(prefix: str) -> str:
    """A name that no other call of this process returns."""
    return f"{prefix}-{next(_numbers)}"


def sha256(text: str) -> str:
    """Lowercase hex."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Signer:
    """A key of a pipeline, registered or not."""

    private: PrivateKey
    name: str

    @property
    def key_id(self) -> str:
        return self.private.public.key_id

    def envelope(
        self,
        statement: dict[str, Any] | bytes,
        *,
        payload_type: str = INTOTO_PAYLOAD_TYPE,
        keyid: str | None = "own",
    ) -> bytes:
        """A DSSE envelope with one signature. `keyid`: "own", any other hint, or None to leave it out."""
        return pack(
            as_payload(statement), payload_type, [self.signature(statement, payload_type, keyid=keyid)]
        )

    def signature(
        self,
        statement: dict[str, Any] | bytes,
        payload_type: str = INTOTO_PAYLOAD_TYPE,
        *,
        keyid: str | None = "own",
    ) -> dict[str, str]:
        """A member of an envelope's `signatures`."""
        signed = self.private.sign(pae(payload_type, as_payload(statement)))
        entry = {"sig": base64.b64encode(signed).decode()}
        if keyid is not None:
            entry["keyid"] = self.key_id if keyid == "own" else keyid
        return entry


def as_payload(statement: dict[str, Any] | bytes) -> bytes:
    return statement if isinstance(statement, bytes) else json.dumps(statement).encode()


def pack(payload: bytes, payload_type: str, signatures: list[dict[str, str]]) -> bytes:
    """An envelope's bytes."""
    return json.dumps(
        {
            "payloadType": payload_type,
            "payload": base64.b64encode(payload).decode(),
            "signatures": signatures,
        }
    ).encode()


def signer(name: str | None = None) -> Signer:
    """A new Ed25519 key that nobody has registered."""
    return Signer(generate_ed25519(), name or fresh("pipeline"))


def registered(scopes: Scopes = ANY, *, name: str | None = None, **window: int | None) -> Signer:
    """A new Ed25519 key, registered in the log by a person's decision.

    `window`: `not_before_us`, `not_after_us` (microseconds since the epoch).
    """
    made = signer(name)
    register(made, scopes, **window)
    return made


def register(who: Signer, scopes: Scopes = ANY, **window: int | None) -> None:
    from lineage.services import decide

    decide.register_key(
        who.private.public.spki,
        who.name,
        scopes,
        person=PERSON,
        not_before_us=window.get("not_before_us"),
        not_after_us=window.get("not_after_us"),
    )


def revoke(who: Signer, from_us: int = 0, *, reason: str = "lost", compromised: bool = False) -> None:
    """By default everything that the key ever signed is not believed any more."""
    from lineage.services import decide

    decide.revoke_key(who.key_id, from_us, reason, person=PERSON, compromised=compromised)


def statement(
    *subjects: dict[str, Any],
    predicate_type: str = GENERIC,
    predicate: Any = None,
    **members: Any,
) -> dict[str, Any]:
    """An in-toto Statement v1; one fresh subject where none is given."""
    made = {
        "_type": STATEMENT_V1,
        "subject": list(subjects) or [artifact()],
        "predicateType": predicate_type,
        "predicate": {} if predicate is None else predicate,
    }
    return made | members


def artifact(name: str | None = None, digest: str | None = None, **members: Any) -> dict[str, Any]:
    """A resource descriptor. `digest` is hex SHA-256; without one it is that of the name."""
    name = name or fresh("artifact")
    return {"name": name, "digest": {"sha256": digest or sha256(name)}} | members


def provenance(
    subjects: list[dict[str, Any]],
    materials: list[dict[str, Any]] | None = None,
    *,
    builder: str = BUILDER,
    invocation: str | None = None,
) -> dict[str, Any]:
    """SLSA provenance v1 of one run that read the materials and made the subjects."""
    predicate = {
        "buildDefinition": {
            "buildType": "https://example.com/build/v1",
            "externalParameters": {},
            "resolvedDependencies": copy.deepcopy(materials or []),
        },
        "runDetails": {
            "builder": {"id": builder},
            "metadata": {
                "invocationId": invocation or fresh("run"),
                "startedOn": "2026-01-01T00:00:00Z",
                "finishedOn": "2026-01-01T01:00:00Z",
            },
        },
    }
    return statement(*subjects, predicate_type=SLSA_V1, predicate=predicate)


def token(*scopes: str) -> str:
    """The secret of a new API key that does not expire."""
    from lineage.services import tokens

    return tokens.create(fresh("token"), scopes, expires_at=None, by="os:tests")[1]


def user(role: str = "auditor", password: str = "correct horse battery") -> Any:
    """A person who can sign in."""
    from lineage.db.models import User

    return User.objects.create_user(f"{fresh(role)}@example.com", password, role=role)
