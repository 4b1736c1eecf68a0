"""The platform's own keys over time: rotation, the offline root, and what a replacement takes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from lineage.errors import MalformedError
from lineage.trust import (
    believed,
    decisions,
    dsse,
    endorsement,
    platform_decisions,
    signer_decisions,
    statement,
)
from lineage.trust.decision_form import Decision
from lineage.trust.keys import PrivateKey, generate_ed25519
from lineage.trust.platform_decisions import Replacement
from lineage.trust.policy import KeyRing, Registration, Revocation, Role, Scopes

ORIGIN = "lineage/tests"
HOUR = 3_600_000_000
START = 1_800_000_000_000_000
OWN: tuple[Role, ...] = ("log", "platform", "collector", "reverifier")


def key(number: int) -> PrivateKey:
    return generate_ed25519(bytes([number]) * 32)


LOG, PLATFORM, COLLECTOR, REVERIFIER, ROOT = (key(n) for n in range(1, 6))
THIEF, NEW, PIPELINE, OTHER = (key(n) for n in range(11, 15))


def registration(private: PrivateKey, role: Role = "pipeline", name: str = "") -> Registration:
    scopes = Scopes(any=True) if role in ("pipeline", "platform", "collector") else Scopes()
    return Registration(private.public, name or f"{role} key", scopes, None, None, 0, 0, role)


def read(payload: bytes) -> Decision:
    return decisions.parse(statement.parse(dsse.INTOTO_PAYLOAD_TYPE, payload))


class Log:
    """Decisions folded one after the other, an hour apart."""

    def __init__(self, root: bool = True) -> None:
        self.ring = KeyRing()
        self.index = -1
        self.rings: list[KeyRing] = []
        keys = [registration(k, r) for k, r in zip((LOG, PLATFORM, COLLECTOR, REVERIFIER), OWN, strict=True)]
        self.add(decisions.build_bootstrap("p", START, ORIGIN, keys))
        if root:
            self.register_root()

    @property
    def now(self) -> int:
        return START + self.index * HOUR

    def add(self, payload: bytes, signer: PrivateKey = PLATFORM) -> KeyRing:
        self.index += 1
        self.ring = believed.fold(self.ring, read(payload), self.index, self.now, [signer.public.key_id])
        self.rings.append(self.ring)
        return self.ring

    def register_root(self, signer: PrivateKey = PLATFORM, root: PrivateKey = ROOT) -> None:
        self.add(platform_decisions.build_register_root("p", 0, registration(root, "root")), signer)

    def register(self, private: PrivateKey, signer: PrivateKey = PLATFORM) -> None:
        self.add(decisions.build_register_key("p", 0, registration(private)), signer)

    def revoke(self, private: PrivateKey, signer: PrivateKey = PLATFORM) -> None:
        revocation = Revocation(private.public.key_id, START, "r", False, 0)
        self.add(decisions.build_revoke_key("p", 0, revocation, "n"), signer)

    def rotate(
        self, old: PrivateKey, new: PrivateKey, role: Role, signer: PrivateKey = PLATFORM, ends: int = 0
    ) -> None:
        self.add(rotation(old, new, role, ends), signer)

    def replace(self, old: PrivateKey, new: PrivateKey, from_us: int, role: Role = "platform") -> None:
        self.add(replacement(old, new, from_us, role), ROOT)


def rotation(old: PrivateKey, new: PrivateKey, role: Role, ends: int = 0) -> bytes:
    return platform_decisions.build_rotate("p", 0, registration(new, role), registration(old, role), ends)


def replacement(
    old: PrivateKey, new: PrivateKey, from_us: int, role: Role = "platform", **more: str
) -> bytes:
    what = Replacement(
        more.get("origin", ORIGIN),
        role,  # type: ignore[arg-type]
        old.public.key_id,
        from_us,
        more.get("reason", "stolen"),
        True,
        registration(new, role),
    )
    return platform_decisions.build_replace("p", 0, what)


@pytest.mark.parametrize("role", OWN)
def test_a_rotated_key_holds_its_role_and_the_old_one_ends(role: Role) -> None:
    log = Log(root=False)
    old = {"log": LOG, "platform": PLATFORM, "collector": COLLECTOR, "reverifier": REVERIFIER}[role]
    log.rotate(old, NEW, role, ends=START + 9 * HOUR)
    assert log.ring.holder(role) == NEW.public
    assert log.rings[0].holder(role) == old.public
    ended = log.ring.keys[old.public.key_id].not_after_us
    assert ended == (START + 9 * HOUR if role == "log" else log.now)
    assert log.ring.in_force(old.public.key_id, log.now) is None
    assert log.ring.in_force(old.public.key_id, START + 10 * HOUR) is not None
    assert log.ring.keys[NEW.public.key_id].scopes == log.ring.keys[old.public.key_id].scopes
    log.rotate(NEW, OTHER, role, signer=NEW if role == "platform" else PLATFORM)
    assert log.ring.holder(role) == OTHER.public


def test_a_rotation_of_what_does_not_hold_the_role_is_refused() -> None:
    log = Log()
    log.register(PIPELINE)
    before = log.ring
    for payload, words in [
        (rotation(COLLECTOR, NEW, "platform"), "is not the platform's platform key"),
        (rotation(OTHER, NEW, "platform"), "is not the platform's platform key"),
        (rotation(PLATFORM, PIPELINE, "platform"), "registered already"),
        (rotation(PLATFORM, PLATFORM, "platform"), "registered already"),
    ]:
        with pytest.raises(MalformedError, match=words):
            decisions.apply(before, read(payload), 9, START)
    wider = replace(registration(NEW, "reverifier"), scopes=Scopes(any=True))
    payload = platform_decisions.build_rotate("p", 0, wider, registration(REVERIFIER, "reverifier"), 0)
    with pytest.raises(MalformedError, match="role and rights"):
        decisions.apply(before, read(payload), 9, START)


@pytest.mark.parametrize("member", ["more", "role"])
def test_bodies_are_strict(member: str) -> None:
    for payload in (
        rotation(PLATFORM, NEW, "platform"),
        replacement(PLATFORM, NEW, START),
        platform_decisions.build_register_root("p", 0, registration(ROOT, "root")),
    ):
        said = read(payload)
        body = {**msgspec.json.decode(said.body), member: "pipeline"}
        with pytest.raises(MalformedError):
            decisions.apply(Log(root=False).ring, replace(said, body=msgspec.json.encode(body)), 9, START)


def test_there_is_one_root_and_only_itself_replaces_it() -> None:
    log = Log()
    assert log.ring.holder("root") == ROOT.public
    with pytest.raises(MalformedError, match="by itself alone"):
        log.register_root(root=OTHER)
    log.index -= 1
    log.replace(ROOT, OTHER, log.now, "root")
    assert log.ring.holder("root") == OTHER.public
    with pytest.raises(MalformedError, match="by itself alone"):
        log.register_root(root=NEW)
    wrong = platform_decisions.build_register_root("p", 0, registration(NEW, "platform"))
    with pytest.raises(MalformedError, match="role root"):
        decisions.apply(Log(root=False).ring, read(wrong), 9, START)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (replacement(PLATFORM, NEW, START, origin="lineage/other"), "another one"),
        (replacement(COLLECTOR, NEW, START), "not registered as a platform key"),
        (replacement(OTHER, NEW, START), "not registered as a platform key"),
        (replacement(PLATFORM, COLLECTOR, START), "registered already"),
        (replacement(PLATFORM, PLATFORM, START), "another one of the same role"),
        (replacement(PLATFORM, NEW, START + 99 * HOUR), "still to come"),
        (replacement(PLATFORM, NEW, START, reason=" "), "says why"),
    ],
)
def test_a_replacement_that_can_not_be_is_refused(payload: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        believed.fold(Log().ring, read(payload), 2, START + 2 * HOUR, [ROOT.public.key_id])


@pytest.mark.parametrize("role", ["log", "collector", "reverifier"])
def test_another_stolen_key_is_revoked_and_nothing_else_changes(role: Role) -> None:
    old = {"log": LOG, "collector": COLLECTOR, "reverifier": REVERIFIER}[role]
    log = Log()
    log.register(PIPELINE)
    log.replace(old, NEW, START + HOUR, role)
    assert log.ring.holder(role) == NEW.public
    assert log.ring.in_force(old.public.key_id, START) is None
    assert "compromised" in str(log.ring.in_force(old.public.key_id, START + HOUR))
    assert log.ring.in_force(PIPELINE.public.key_id, log.now) is None
    assert log.ring.keys[NEW.public.key_id].scopes == log.ring.keys[old.public.key_id].scopes


def before_theft() -> tuple[Log, int]:
    """A log with a pipeline's key; the theft is an hour later."""
    log = Log()
    log.register(PIPELINE)
    return log, log.now + HOUR


Deed = Callable[[Log], None]


def steal_the_collector(log: Log) -> None:
    log.rotate(COLLECTOR, THIEF, "collector")


@pytest.mark.parametrize(
    "deed",
    [
        lambda log: log.register(THIEF),
        lambda log: log.rotate(PLATFORM, THIEF, "platform"),
        lambda log: log.rotate(LOG, THIEF, "log", ends=START + 99 * HOUR),
        steal_the_collector,
    ],
    ids=["register", "rotate platform", "rotate log", "rotate collector"],
)
def test_what_a_thief_put_in_is_known_and_never_believed(deed: Deed) -> None:
    log, theft = before_theft()
    deed(log)
    as_of = log.ring
    log.replace(PLATFORM, NEW, theft)
    assert as_of.in_force(THIEF.public.key_id, log.now) is None  # what was believed then still is, as of then
    assert "not its owner's" in str(log.ring.in_force(THIEF.public.key_id, theft))
    assert [log.ring.holder(role) for role in OWN] == [
        LOG.public,
        NEW.public,
        COLLECTOR.public,
        REVERIFIER.public,
    ]
    for kept in (LOG, COLLECTOR, PIPELINE):
        assert log.ring.in_force(kept.public.key_id, log.now + 999 * HOUR) is None
    assert [each.index for each in believed.fallen(log.ring)] == [3]


def test_what_a_thief_revoked_is_believed_again() -> None:
    log, theft = before_theft()
    log.revoke(PIPELINE)
    assert log.ring.in_force(PIPELINE.public.key_id, log.now) is not None
    log.replace(PLATFORM, NEW, theft)
    assert log.ring.in_force(PIPELINE.public.key_id, log.now) is None
    log.revoke(PIPELINE, signer=NEW)
    assert log.ring.in_force(PIPELINE.public.key_id, log.now) is not None


def test_what_was_decided_before_the_theft_stands() -> None:
    log = Log()
    log.register(PIPELINE)
    log.register(OTHER)
    log.revoke(OTHER)
    log.replace(PLATFORM, NEW, log.now + HOUR)
    assert log.ring.in_force(PIPELINE.public.key_id, log.now) is None
    assert log.ring.in_force(OTHER.public.key_id, log.now) is not None
    assert believed.fallen(log.ring) == ()


def test_a_thief_who_rotated_the_key_to_his_own_loses_all_that_it_decided() -> None:
    log, theft = before_theft()
    second, third = key(20), key(21)
    log.rotate(PLATFORM, THIEF, "platform")
    log.register(OTHER, signer=THIEF)
    log.rotate(THIEF, second, "platform", signer=THIEF)
    log.register(third, signer=second)
    log.replace(PLATFORM, NEW, theft)
    for stolen in (THIEF, OTHER, second, third):
        assert log.ring.in_force(stolen.public.key_id, log.now) is not None
    assert log.ring.holder("platform") == NEW.public
    assert [each.index for each in believed.fallen(log.ring)] == [3, 4, 5, 6]


def test_a_thief_s_successor_is_found_first_and_the_theft_later() -> None:
    log, theft = before_theft()
    log.rotate(PLATFORM, THIEF, "platform")
    log.register(OTHER, signer=THIEF)
    log.replace(THIEF, NEW, log.now)
    assert log.ring.holder("platform") == NEW.public
    assert log.ring.in_force(OTHER.public.key_id, log.now) is not None
    good = key(22)
    log.register(good, signer=NEW)
    newest = key(23)
    log.replace(PLATFORM, newest, theft)
    assert log.ring.holder("platform") == newest.public
    assert log.ring.in_force(good.public.key_id, log.now) is None
    assert log.ring.in_force(NEW.public.key_id, log.now + 1) is not None
    assert [each.index for each in believed.fallen(log.ring)] == [3, 4]


def test_a_good_decision_about_a_key_that_fell_falls_with_it() -> None:
    log, theft = before_theft()
    log.register(THIEF)
    endorsed = endorsement.build(THIEF, OTHER.public)
    turn = signer_decisions.build_rotate_key(
        "p", 0, registration(OTHER), THIEF.public.key_id, START + 99 * HOUR, endorsed
    )
    log.add(turn)
    log.replace(PLATFORM, NEW, theft)
    assert log.ring.in_force(OTHER.public.key_id, log.now) is not None


def test_a_root_that_the_thief_registered_replaces_nothing() -> None:
    log = Log(root=False)
    theft = log.now + HOUR
    log.register_root()
    with pytest.raises(MalformedError, match="root was registered after that time"):
        log.replace(PLATFORM, NEW, theft)


def test_a_replacement_that_was_signed_and_not_used_is_of_no_use_later() -> None:
    """Somebody has its new key, because it was made on the server that was broken into."""
    log, theft = before_theft()
    unused = replacement(PLATFORM, THIEF, theft - HOUR)
    log.replace(PLATFORM, NEW, theft)
    with pytest.raises(MalformedError, match="was replaced already"):
        log.add(unused, ROOT)
    assert log.ring.holder("platform") == NEW.public


def test_the_ring_after_a_replacement_counts_as_the_newest() -> None:
    log, theft = before_theft()
    log.register(THIEF)
    log.replace(PLATFORM, NEW, theft)
    assert log.ring.policy_index == log.index
    assert platform_decisions.origin_of(log.ring.past) == ORIGIN


def test_decisions_are_told_in_words() -> None:
    told = dict(platform_decisions.told(read(replacement(PLATFORM, NEW, START))))
    assert (told["Role"], told["Reason"], told["Compromised"]) == ("platform", "stolen", "yes")
    assert NEW.public.key_id in told["New key"]
    told = dict(platform_decisions.told(read(rotation(LOG, NEW, "log", START))))
    assert told["Replaced key"] == LOG.public.key_id
    root = platform_decisions.build_register_root("p", 0, registration(ROOT, "root"))
    assert dict(platform_decisions.told(read(root)))["Role"] == "root"
    with pytest.raises(MalformedError, match="does not replace"):
        platform_decisions.read_replacement(read(root))
