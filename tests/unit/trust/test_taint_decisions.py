"""The bodies of decisions about what is bad, read strictly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage.errors import MalformedError
from lineage.trust import decisions, dsse, statement, taint_decisions
from lineage.trust.taint_decisions import ACTIONS, CLEAR, DESIGNATE, WAIVE_TAINT, TaintDecision

NODE = "sha256:" + "ab" * 32


def payload(action: str, **members: str) -> bytes:
    body = TaintDecision(**{"node": NODE, "reason": "poisoned", **members})
    return taint_decisions.build(action, "a@example.org", 1_700_000_000_000_000, body, "data.csv")


def read(data: bytes) -> TaintDecision:
    parsed = statement.parse(dsse.INTOTO_PAYLOAD_TYPE, data)
    return taint_decisions.read(decisions.parse(parsed), parsed)


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_written_is_read_again(action: str) -> None:
    assert read(payload(action)) == TaintDecision(NODE, "poisoned")


def test_a_time_is_microseconds() -> None:
    body = read(payload(WAIVE_TAINT, until="2027-03-31T00:00:00Z"))
    assert body.until_us == 1_806_451_200_000_000
    assert read(payload(DESIGNATE)).until_us == 0


@pytest.mark.parametrize(
    ("action", "members"),
    [
        (DESIGNATE, {"reason": " "}),
        (DESIGNATE, {"until": "tomorrow"}),
        (CLEAR, {"until": "2027-03-31T00:00:00Z"}),
        (CLEAR, {"incident": "INC-7"}),
        (WAIVE_TAINT, {"incident": "INC-7"}),
    ],
)
def test_what_is_not_this_action_s_is_refused(action: str, members: dict[str, str]) -> None:
    with pytest.raises(MalformedError):
        read(payload(action, **members))


@pytest.mark.parametrize("wrong", ["subject", "member", "list", "number", "second subject"])
def test_another_form_is_refused(wrong: str) -> None:
    said: dict[str, Any] = json.loads(payload(DESIGNATE))
    body = said["predicate"]["body"]
    if wrong == "subject":
        said["subject"][0]["digest"] = {"sha256": "cd" * 32}
    elif wrong == "second subject":
        said["subject"].append({"name": "more", "digest": {"sha256": "cd" * 32}})
    elif wrong == "member":
        body["severity"] = "high"
    elif wrong == "list":
        body["node"] = [NODE]
    else:
        body["reason"] = 7
    with pytest.raises(MalformedError):
        read(json.dumps(said).encode())


def test_it_is_told_to_people() -> None:
    parsed = statement.parse(dsse.INTOTO_PAYLOAD_TYPE, payload(DESIGNATE, incident="INC-7"))
    told = taint_decisions.told(decisions.parse(parsed), parsed)
    assert told == (
        ("Designated as bad", NODE),
        ("Until", "another decision"),
        ("Incident", "INC-7"),
        ("Reason", "poisoned"),
    )
