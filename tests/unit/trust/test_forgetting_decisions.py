"""The forms of redact, hold, release-hold and retention: strict, and about what they name alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineage.errors import MalformedError
from lineage.trust import decision_form, forgetting_decisions, statement
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from lineage.trust.forgetting_decisions import Body, Hold, Redact, ReleaseHold, Retention, RetentionClass

ONE, TWO = ("sha256:" + digits * 32 for digits in ("ab", "cd"))
WHO = "anna@example.com"
REDACT = Redact((ONE, TWO), "it names Ada", True, {TWO: "an observation: 2 changes"}, 7)
HOLD = Hold("case 7", "a court", subjects=("sha256:1",), predicate_types=("https://slsa.dev/provenance/v1",))
RETENTION = Retention(
    (RetentionClass("seen", 30, ("observation",)), RetentionClass("rest", None)), "the board"
)


def payload(body: Body) -> bytes:
    if isinstance(body, Redact):
        return forgetting_decisions.build_redact(WHO, 0, body, {ONE: 3, TWO: 4})
    if isinstance(body, Hold):
        return forgetting_decisions.build_hold(WHO, 0, body)
    if isinstance(body, ReleaseHold):
        return forgetting_decisions.build_release(WHO, 0, body, "ab" * 32)
    return forgetting_decisions.build_retention(WHO, 0, body)


def read(made: bytes | dict[str, Any]) -> Body:
    data = made if isinstance(made, bytes) else msgspec.json.encode(made)
    parsed = statement.parse(INTOTO_PAYLOAD_TYPE, data)
    return forgetting_decisions.read(decision_form.parse(parsed), parsed)


@pytest.mark.parametrize(
    "body",
    [
        REDACT,
        Redact((ONE, TWO), "why"),
        HOLD,
        Hold("all", "audit", everything=True),
        ReleaseHold(5, "over"),
        RETENTION,
    ],
    ids=["redact", "plain redact", "hold", "hold all", "release", "retention"],
)
def test_what_is_built_is_read_again_and_told(body: Body) -> None:
    made = payload(body)
    assert read(made) == body
    parsed = statement.parse(INTOTO_PAYLOAD_TYPE, made)
    rows = forgetting_decisions.told(decision_form.parse(parsed), parsed)
    assert rows[-1] == ("Reason", body.reason)
    assert all(label and text for label, text in rows)


def test_a_redaction_is_about_the_envelopes_and_repeats_nothing_else() -> None:
    made = msgspec.json.decode(payload(REDACT))
    assert made["subject"] == [
        {"name": "envelope of entry 3", "digest": {"sha256": "ab" * 32}},
        {"name": "envelope of entry 4", "digest": {"sha256": "cd" * 32}},
    ]


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (REDACT, {"reason": ""}),
        (REDACT, {"envelopes": []}),
        (REDACT, {"envelopes": [ONE]}),
        (REDACT, {"envelopes": [ONE, ONE]}),
        (REDACT, {"envelopes": [ONE, TWO.upper()]}),
        (REDACT, {"envelopes": [ONE, "sha512:" + "cd" * 64]}),
        (REDACT, {"told": {"sha256:" + "ef" * 32: "nothing"}}),
        (REDACT, {"policy": "7"}),
        (REDACT, {"until": "2027-01-01T00:00:00Z"}),
        (HOLD, {"reason": ""}),
        (HOLD, {"name": ""}),
        (HOLD, {"subjects": [], "predicateTypes": []}),
        (HOLD, {"everything": True}),
        (HOLD, {"subjects": [""]}),
        (HOLD, {"subjects": [str(number) for number in range(1_001)]}),
        (HOLD, {"envelopes": ["sha256:zz"]}),
        (HOLD, {"keys": []}),
        (ReleaseHold(5, "over"), {"hold": -1}),
        (ReleaseHold(5, "over"), {"hold": "5"}),
        (ReleaseHold(5, "over"), {"reason": ""}),
        (RETENTION, {"reason": ""}),
        (RETENTION, {"classes": [{"name": "", "days": 1}]}),
        (RETENTION, {"classes": [{"name": "x", "days": 0}]}),
        (RETENTION, {"classes": [{"name": "x", "days": 36_526}]}),
        (RETENTION, {"classes": [{"name": "x"}]}),
        (RETENTION, {"classes": [{"name": "x", "days": 1, "kinds": ["decision"]}]}),
        (RETENTION, {"classes": [{"name": "x", "days": 1, "predicateTypes": [""]}]}),
        (RETENTION, {"classes": [{"name": "x", "days": 1}] * 101}),
    ],
)
def test_another_form_is_refused(body: Body, change: dict[str, Any]) -> None:
    made = msgspec.json.decode(payload(body))
    made["predicate"]["body"] |= change
    with pytest.raises(MalformedError):
        read(made)


def test_other_subjects_are_refused() -> None:
    made = msgspec.json.decode(payload(REDACT))
    made["subject"].reverse()
    with pytest.raises(MalformedError, match="not the decision's subjects"):
        read(made)
