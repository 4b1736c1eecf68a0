"""A random log, made by the product's own services: keys come and go, pipelines send, observers observe.

The clock is the generator's: it moves by nothing, microseconds, hours or days, and sometimes back, so that
checks age and keys end within one log.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lineage.db.models import Entry, LogHead
from lineage.errors import LineageError
from lineage.services import append, decide, intake, keyring, platform_keys, withdraw
from lineage.services.log_batch import Prepared
from lineage.trust import dsse, statement
from lineage.trust.digest import sha256_hex
from lineage.trust.keys import generate_ed25519
from lineage.trust.policy import KeyRing, Scopes
from tests.factories import PERSON, Signer, pack
from tests.replay.statements import BUILDERS, CHECK, DAY, PREFIX, SLSA, World

START = 1_767_225_600 * 1_000_000  # 2026-01-01
HOUR = 3600 * 1_000_000


@dataclass(frozen=True)
class Refused:
    """An envelope that the intake did not take, when the log had `size` entries; `at` is log time, µs."""

    size: int
    at: int
    envelope: bytes
    why: str


@dataclass
class Generator:
    """`now` is the clock that the services are given. `refused` lists what they did not take."""

    seed: int
    now: int = START
    refused: list[Refused] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.world = World(self.random)
        self.signers: list[Signer] = []  # registered, or about to be
        self.scopes: dict[str, Scopes] = {}
        self.unregistered: list[Signer] = []
        self.sent: list[tuple[list[Signer], bytes]] = []
        self.signed: dict[str, list[int]] = {}  # key id -> when it signed, by the clock
        self.taken_back: list[tuple[list[Signer], bytes]] = []

    def clock(self) -> int:
        return self.now

    def fill(self, size: int) -> None:
        """Add entries until the log has `size` of them."""
        for scopes in (*self.all_scopes(), Scopes(any=True), Scopes(any=True)):
            self.register(scopes)
        self.unregistered = [self.new_key() for _ in range(3)]
        stolen = False
        while (head := LogHead.objects.get(pk=1).size) < size:
            self.tick()
            if not stolen and head > size // 2:
                # Not left to chance, so that a short log has a stolen key too, and the use of one.
                self.steal()
                stolen = True
            self.step(size - head)

    def tick(self) -> None:
        steps = (0, 1, 1_000_000, HOUR, 3 * HOUR, 7 * HOUR, 2 * DAY, -HOUR)
        step = self.random.choices(steps, (10, 10, 20, 30, 18, 7, 1, 4))[0]
        self.now = max(START, self.now + step)
        self.world.now = self.now

    def step(self, room: int) -> None:
        draw = self.random.random()
        if draw < 0.032:
            self.register(self.random.choice((*self.all_scopes(), Scopes(any=True), Scopes(any=True))))
        elif draw < 0.05:
            self.revoke()
        elif draw < 0.1:
            self.observe()
        elif draw < 0.115:
            self.withdraw()
        else:
            self.submit([self.envelope() for _ in range(min(room, self.random.randint(1, 5)))])

    # Keys

    def all_scopes(self) -> tuple[Scopes, ...]:
        run = (SLSA, SLSA + ".0", PREFIX + "training-run:v1")
        return (
            Scopes(predicate_types=run, builders=BUILDERS[:2]),
            Scopes(predicate_types=run, builders=BUILDERS),
            Scopes(predicate_types=(PREFIX + "dataset:v1",), kinds=("dataset", "supplier", "place")),
            Scopes(predicate_types=(PREFIX + "model:v1", PREFIX + "dataset:v1"), subjects=("thing *", "m*")),
            Scopes(predicate_types=(CHECK,)),
            Scopes(predicate_types=(*run, "link", PREFIX + "deployment:v1"), builders=BUILDERS, kinds=KINDS),
        )

    def new_key(self) -> Signer:
        return Signer(generate_ed25519(self.random.randbytes(32)), f"key {self.random.randrange(12)}")

    def register(self, scopes: Scopes) -> None:
        """A new key, or one that has signed before it was registered; sometimes with a window."""
        signer = self.new_key()
        if self.unregistered and self.random.random() < 0.4:
            signer = self.unregistered.pop()
            self.unregistered.append(self.new_key())
        start = self.now + self.random.randrange(-20 * DAY, 4 * DAY) if self.random.random() < 0.3 else None
        end = (
            (start or self.now) + self.random.randrange(DAY, 30 * DAY) if self.random.random() < 0.3 else None
        )
        decide.register_key(
            signer.private.public.spki,
            signer.name,
            scopes,
            person=PERSON,
            not_before_us=start,
            not_after_us=end,
        )
        self.signers.append(signer)
        self.scopes[signer.key_id] = scopes

    def revoke(self) -> None:
        """From now, from a moment in the past or the future, from the beginning; twice where it says more."""
        signer = self.random.choice(self.signers[-12:])
        signed = self.signed.get(signer.key_id, [self.now])
        moments = (self.now, self.random.choice(signed), 0, self.now + 3 * DAY)
        moment = self.random.choices(moments, (3, 9, 1, 2))[0] + self.random.choice((0, 0, 0, 1))
        compromised = self.random.random() < 0.4
        try:
            decide.revoke_key(signer.key_id, moment, "lost", person=PERSON, compromised=compromised)
        except LineageError:
            return  # a revocation that says as much is there already

    def steal(self) -> None:
        """Of the unrevoked keys the one that signed most is known to be stolen from its first use on."""
        ring = keyring.current()
        whole = [s for s in self.signers if s.key_id in self.signed and s.key_id not in ring.revocations]
        signer = max(whole, key=lambda s: len(self.signed[s.key_id]))
        moment = min(self.signed[signer.key_id])
        decide.revoke_key(signer.key_id, moment, "stolen", person=PERSON, compromised=True)

    def withdraw(self) -> None:
        """Something that was said, seldom long ago, is taken back."""
        said = Entry.objects.exclude(kind=Entry.Kind.DECISION).order_by("-index")
        digests = list(said.values_list("statement_digest", flat=True)[: self.random.choice((10, 60, 400))])
        if not digests:
            return
        digest = self.random.choice(digests)
        try:
            withdraw.withdraw(f"sha256:{digest}", "wrong", person=PERSON)
        except LineageError:
            return  # it is taken back already
        self.taken_back += [sent for sent in self.sent if sha256_hex(sent[1]) == digest]

    # Envelopes

    def envelope(self) -> bytes:
        draw = self.random.random()
        if self.sent and draw < 0.16:
            return self.again(*self.random.choice(self.sent[-80:]))
        if draw < 0.18:
            return self.forged_decision()
        if self.taken_back and draw < 0.2:
            return self.again(*self.random.choice(self.taken_back))
        kind, said = self.world.statement()
        payload = json.dumps(said, ensure_ascii=self.random.random() < 0.5).encode()
        signers = [self.signer(kind)]
        if self.random.random() < 0.12:
            signers.append(self.random.choice(self.signers))
        self.sent.append((signers, payload))
        return self.pack(signers, payload)

    def signer(self, kind: str) -> Signer:
        """Mostly one whose scopes have this type; sometimes any, sometimes one that nobody knows."""
        draw = self.random.random()
        if draw < 0.04:
            return self.random.choice(self.unregistered)
        fitting = [
            s for s in self.signers if (scopes := self.scopes[s.key_id]).any or kind in scopes.predicate_types
        ]
        return self.random.choice(fitting[-9:] if draw < 0.9 else self.signers)

    def again(self, signers: list[Signer], payload: bytes) -> bytes:
        """The same statement: the same signers in another wrapping, others beside them, or others alone."""
        draw = self.random.random()
        other = self.random.choice(self.signers)
        if draw < 0.4:
            return self.pack(signers, payload) + b" " * self.random.randrange(4)
        return self.pack([*signers, other] if draw < 0.7 else [other], payload)

    def pack(self, signers: list[Signer], payload: bytes) -> bytes:
        hints: list[Callable[[Signer], str | None]] = [
            lambda s: "own",
            lambda s: None,
            lambda s: f"sha256:{s.key_id}",
            lambda s: "somebody",
        ]
        few = (len(self.signers) + 4) * (len(signers) + 1) < 60  # beyond 64 trials an envelope may be refused
        hint = self.random.choices(hints, (7, few, 1, few))[0]
        for signer in signers:
            self.signed.setdefault(signer.key_id, []).append(self.now)
        signatures = [signer.signature(payload, keyid=hint(signer)) for signer in signers]
        if self.random.random() < 0.05:
            bad = self.random.choice(self.signers).signature(b"something else")
            signatures.insert(self.random.randrange(2), bad)
        return pack(payload, dsse.INTOTO_PAYLOAD_TYPE, signatures)

    def forged_decision(self) -> bytes:
        """A pipeline that says what only a person may decide: that one more key is registered, or revoked."""
        new = self.new_key()
        body: dict[str, Any] = {
            "keyId": new.key_id,
            "publicKey": new.private.public.pem().decode(),
            "name": "forged",
            "role": "pipeline",
            "scopes": {"any": True},
        }
        action, victim = "register-key", new
        if self.random.random() < 0.5:
            victim = self.random.choice(self.signers)
            action = "revoke-key"
            body = {
                "keyId": victim.key_id,
                "from": "2026-01-01T00:00:00Z",
                "reason": "x",
                "compromised": True,
            }
        said = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "key", "digest": {"sha256": victim.key_id}}],
            "predicateType": PREFIX + "decision:v1",
            "predicate": {
                "action": action,
                "person": PERSON,
                "decidedAt": "2026-01-01T00:00:00Z",
                "body": body,
            },
        }
        self.unregistered.append(new)
        return self.pack([self.signer(PREFIX + "decision:v1")], json.dumps(said).encode())

    # Into the log

    def submit(self, envelopes: list[bytes]) -> None:
        size = LogHead.objects.get(pk=1).size
        for envelope, answer in zip(envelopes, intake.submit_set(envelopes, token="replay"), strict=True):
            if isinstance(answer, LineageError):
                at = max(self.now, LogHead.objects.get(pk=1).last_received_us)
                self.refused.append(Refused(size, at, envelope, answer.slug))

    def observe(self) -> None:
        """The re-verifier checks; the collector reports what it saw."""
        keys = platform_keys.load()
        if self.random.random() < 0.6:
            key, kind = keys.reverifier, CHECK
        else:
            kinds = (
                SLSA,
                PREFIX + "training-run:v1",
                PREFIX + "dataset:v1",
                PREFIX + "hardware-node:v1",
                CHECK,
            )
            key, kind = keys.collector, self.random.choice(kinds)
        made = self.world.observed() if kind == SLSA else self.world.statement(kind)[1]
        payload = json.dumps(made).encode()
        envelope = dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload, key)
        append.append([_observation(envelope, payload, key.public.key_id, keyring.current())])


KINDS = ("artifact", "run", "deployment", "place")  # no hardware


def _observation(envelope: bytes, payload: bytes, key_id: str, ring: KeyRing) -> Prepared:
    parsed = statement.parse(dsse.INTOTO_PAYLOAD_TYPE, payload)
    return Prepared(
        kind=Entry.Kind.OBSERVATION,
        envelope=envelope,
        envelope_digest=sha256_hex(envelope),
        statement=parsed,
        key_ids=(key_id,),
        policy_index=ring.policy_index,
        judge=partial(intake.judge, intake.claims(parsed, (key_id,)), (key_id,)),
        renew=lambda newer: _observation(envelope, payload, key_id, newer),
    )
