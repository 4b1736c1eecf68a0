"""The form of new-epoch: strict, about the checkpoint that it gives up, and only ever onwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from lineage.errors import LineageError, MalformedError
from lineage.trust import (
    believed,
    checkpoint,
    decision_form,
    decisions,
    epoch_decisions,
    epochs,
    platform_decisions,
    statement,
)
from lineage.trust.checkpoint import Checkpoint
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from lineage.trust.epoch_decisions import LostBody, NewEpoch
from lineage.trust.platform_decisions import Replacement
from lineage.trust.policy import KeyRing, Role

from .builders import key, registration

ORIGIN = "lineage/0123"
LOG, PLATFORM, ROOT, NEW = (key(n) for n in (1, 2, 3, 4))
ROOT_HASH = b"\x07" * 32
WHO = "os:anna"


def lost(origin: str = ORIGIN, size: int = 9, root: bytes = ROOT_HASH) -> LostBody:
    note = checkpoint.sign(Checkpoint(origin, size, root), LOG)
    return LostBody(origin, size, root.hex(), note.decode())


def body(**changes: Any) -> NewEpoch:
    made = NewEpoch(epoch=2, before=1, from_size=1, lost=lost(), reason="the disk was swapped")
    return msgspec.structs.replace(made, **changes)


def opened(payload: bytes) -> tuple[decision_form.Decision, statement.Statement]:
    parsed = statement.parse(INTOTO_PAYLOAD_TYPE, payload)
    return decision_form.parse(parsed), parsed


def begun() -> KeyRing:
    """Entry 0, and a root."""
    own: list[tuple[Any, Role]] = [(LOG, "log"), (PLATFORM, "platform")]
    first = decisions.build_bootstrap(
        "p", 0, ORIGIN, [registration(each.public, role=role) for each, role in own]
    )
    ring = believed.fold(KeyRing(), opened(first)[0], 0, 0)
    root = platform_decisions.build_register_root("p", 0, registration(ROOT.public, role="root"))
    return believed.fold(ring, opened(root)[0], 1, 1, [PLATFORM.public.key_id])


def add(ring: KeyRing, made: NewEpoch, index: int, at_us: int = 5) -> KeyRing:
    decision, _ = opened(epoch_decisions.build(WHO, 0, made))
    return believed.fold(ring, decision, index, at_us, [PLATFORM.public.key_id])


def test_what_is_built_is_read_again_and_told() -> None:
    made = body()
    decision, parsed = opened(epoch_decisions.build(WHO, 0, made))
    assert (decision.action, decision.person) == ("new-epoch", WHO)
    assert epoch_decisions.read(decision, parsed) == made
    assert decisions.changes_keys(decision)
    rows = dict(epoch_decisions.told(decision, parsed))
    assert rows["Reason"] == made.reason
    assert rows["New epoch"] == "2, after epoch 1, from 1 entries on"
    assert "9 entries" in rows["Lost"]


def other_note(document: dict[str, Any]) -> None:
    document["lost"]["note"] = lost(size=8).note


def unsigned(document: dict[str, Any]) -> None:
    document["lost"]["note"] = f"{ORIGIN}\n9\n"


def huge(document: dict[str, Any]) -> None:
    document["lost"]["note"] = document["lost"]["note"] + "\u2014 a AAAAAAA=\n" * 5000


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 1},
        {"epoch": 1, "before": 0},
        {"epoch": 2, "before": 2},
        {"epoch": epochs.MAX_NUMBER + 1},
        {"epoch": "2"},
        {"epoch": 2.5},
        {"before": 0},
        {"before": -1},
        {"fromSize": 0},
        {"fromSize": -1},
        {"fromSize": 1 << 63},
        {"reason": ""},
        {"reason": " \n"},
        {"reason": "x" * (epoch_decisions.MAX_REASON + 1)},
        {"lost": None},
        {"lost": {}},
        {"extra": 1},
        other_note,
        unsigned,
        huge,
        lambda document: document["lost"].update(size=8),
        lambda document: document["lost"].update(origin=f"{ORIGIN}/epoch-2"),
        lambda document: document["lost"].update(root="00" * 32),
        lambda document: document["lost"].update(root=document["lost"]["root"].replace("0", "A")),
        lambda document: document["lost"].update(root="07" * 31),
        lambda document: document["lost"].update(note=""),
        lambda document: document["lost"].update(extra=1),
        lambda document: document["lost"].pop("note"),
    ],
)
def test_a_malformed_body_is_refused(change: dict[str, Any] | Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(msgspec.json.encode(body()))
    if callable(change):
        change(document)
    else:
        document.update(change)
    with pytest.raises(MalformedError):
        epoch_decisions.read_body(json.dumps(document).encode())


@pytest.mark.parametrize(
    "note", [b'"\\ud800"', b'"\\u0000"', b"7", b"[]"], ids=["half", "zero", "number", "list"]
)
def test_hostile_text_raises_nothing_else(note: bytes) -> None:
    data = msgspec.json.encode(body())
    start = data.index(b'"note":') + 7
    end = data.index(b'},"reason"')
    with pytest.raises(LineageError) as raised:
        epoch_decisions.read_body(data[:start] + note + data[end:])
    assert isinstance(raised.value, MalformedError)


def test_it_is_about_the_lost_checkpoint_alone() -> None:
    document = json.loads(epoch_decisions.build(WHO, 0, body()))
    document["subject"][0]["digest"]["sha256"] = "00" * 32
    decision, parsed = opened(json.dumps(document).encode())
    with pytest.raises(MalformedError, match="only subject"):
        epoch_decisions.read(decision, parsed)


def test_the_ring_knows_each_epoch_and_its_number_goes_up() -> None:
    ring = add(begun(), body(from_size=2), 2)
    assert [each.number for each in ring.epochs] == [2]
    assert ring.policy_index == 2
    second = body(epoch=3, before=2, from_size=5, lost=lost(f"{ORIGIN}/epoch-2", 8))
    assert [each.from_size for each in add(ring, second, 5).epochs] == [2, 5]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"from_size": 3}, "there are 2"),
        ({"before": 2, "epoch": 3}, "is in epoch 1"),
        ({"lost": lost("lineage/9999")}, "another one"),
        ({"lost": lost(f"{ORIGIN}/epoch-2")}, "had published already"),
        ({"lost": lost(f"{ORIGIN}/epoch-7")}, "the next is 8"),
    ],
)
def test_what_does_not_fit_the_log_is_refused(change: dict[str, Any], words: str) -> None:
    made = msgspec.structs.replace(body(from_size=2), **change)
    with pytest.raises(MalformedError, match=words):
        add(begun(), made, 2)


def test_numbers_skip_names_that_were_used_in_what_is_lost() -> None:
    made = body(epoch=8, from_size=2, lost=lost(f"{ORIGIN}/epoch-7"))
    assert [each.number for each in add(begun(), made, 2).epochs] == [8]


def test_one_checkpoint_is_given_up_once() -> None:
    ring = add(begun(), body(from_size=2), 2)
    with pytest.raises(MalformedError, match="already"):
        add(ring, body(epoch=3, before=2, from_size=3), 3)


def test_an_epoch_stays_where_its_decision_is_believed_no_longer() -> None:
    """Checkpoints were published under its name, whoever held the platform's key."""
    ring = add(begun(), body(from_size=2), 2, at_us=50)
    what = Replacement(
        ORIGIN,
        "platform",
        PLATFORM.public.key_id,
        40,
        "stolen",
        True,
        registration(NEW.public, role="platform"),
    )
    decision, _ = opened(platform_decisions.build_replace("p", 0, what))
    after = believed.fold(ring, decision, 3, 60, [ROOT.public.key_id])
    assert [each.index for each in believed.fallen(after)] == [2]
    assert after.epochs == ring.epochs
    assert replace(after, past=None).holder("platform") == NEW.public
