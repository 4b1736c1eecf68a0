"""Every status and reason that can be reached today, reached by signed statements and read by REST."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lineage.config import current
from lineage.graph.model import deployment_key, place_key, run_key, supplier_key, uri_key
from lineage.services import storages
from lineage.services.clock import now_us
from tests import factories
from tests.conftest import Api

OURS = "urn:lineage:predicate:"
ROOT = "/srv/models"
BUILDER = factories.BUILDER
DAY_US = 86_400_000_000


@pytest.fixture(autouse=True)
def storage_root(monkeypatch: pytest.MonkeyPatch, log: None) -> None:
    """One configured root, so that a `file://` location under it is a copy."""
    rooted = replace(current(), storage_roots=(Path(ROOT),))
    monkeypatch.setattr(storages, "current", lambda: rooted)


class Story:
    """Sends statements by REST, follows the log, and asks what a node's status is."""

    def __init__(self, api: Api, graph: Callable[[], int]) -> None:
        self.api = api
        self.graph = graph
        self.signer = factories.registered()

    def say(self, predicate_type: str, predicate: Any, *subjects: dict[str, Any], by: Any = None) -> None:
        statement = factories.statement(*subjects, predicate_type=predicate_type, predicate=predicate)
        self.send(statement, by)

    def send(self, statement: dict[str, Any], by: Any = None) -> None:
        answer = self.api.attest((by or self.signer).envelope(statement))
        assert answer.status_code == 201, answer.content

    def check(
        self,
        subject: dict[str, Any],
        outcome: str,
        *,
        days_ago: float = 0,
        observed: str = "",
        by: Any = None,
    ) -> None:
        digest = "sha256:" + subject["digest"]["sha256"]
        at = datetime.now(UTC) - timedelta(days=days_ago)
        row = {
            "digest": digest,
            "location": f"file://{ROOT}/model.bin",
            "method": "sha256",
            "outcome": outcome,
            "at": at.isoformat(),
            "observed": observed or (digest if outcome == "match" else ""),
        }
        self.say(f"{OURS}check:v1", {"rows": [row]}, subject, by=by)

    def status(self, key: str) -> tuple[str, list[str]]:
        self.graph()
        answer = self.api.get(f"/api/v1/nodes/{key}")
        assert answer.status_code == 200, answer.content
        node = answer.json()
        return str(node["status"]), list(node["reasons"])


@pytest.fixture
def story(api: Api, graph: Callable[[], int]) -> Story:
    return Story(api, graph)


def key_of(subject: dict[str, Any]) -> str:
    return f"sha256:{subject['digest']['sha256']}"


def stored(name: str) -> dict[str, Any]:
    return factories.artifact(name, downloadLocation=f"file://{ROOT}/model.bin")


def test_a_signed_artifact_without_a_copy_is_verified_and_says_what_that_leaves_open(story: Story) -> None:
    subject = factories.artifact()
    story.say(factories.GENERIC, {}, subject)
    assert story.status(key_of(subject)) == ("verified", [])
    assert story.api.get(f"/api/v1/nodes/{key_of(subject)}").json()["notes"] == ["bytes-not-checked"]


def test_a_material_of_others_statements_is_unverified(story: Story) -> None:
    material = factories.artifact()
    story.send(factories.provenance([factories.artifact()], [material]))
    assert story.status(key_of(material)) == ("unverified", ["no-attestation"])


def test_a_check_alone_attests_nothing(story: Story) -> None:
    subject = factories.artifact()
    story.check(subject, "match")
    assert story.status(key_of(subject))[0] == "unverified"


def test_something_without_a_digest_is_a_gap(story: Story) -> None:
    story.send(factories.provenance([factories.artifact()], [{"uri": "https://data.example/x"}]))
    status, reasons = story.status(uri_key("https://data.example/x"))
    assert status == "unverified"
    assert "uri-only" in reasons


def test_a_revoked_signers_artifact_is_unverified(story: Story) -> None:
    subject = factories.artifact()
    since = now_us()
    story.say(factories.GENERIC, {}, subject)
    factories.revoke(story.signer, since)
    assert story.status(key_of(subject)) == ("unverified", ["signer-revoked"])


def test_what_was_signed_before_the_revocation_stays(story: Story) -> None:
    subject = factories.artifact()
    story.say(factories.GENERIC, {}, subject)
    time.sleep(0.001)
    factories.revoke(story.signer, now_us())
    assert story.status(key_of(subject)) == ("verified", [])


def test_two_signers_two_runs_one_digest_is_a_contested_origin(story: Story) -> None:
    subject = factories.artifact()
    story.send(factories.provenance([subject], invocation="one"))
    assert story.status(key_of(subject)) == ("verified", [])
    story.send(factories.provenance([subject], invocation="two"), by=factories.registered())
    assert story.status(key_of(subject)) == ("unverified", ["contested-origin"])


def test_one_signer_may_make_the_same_bytes_twice(story: Story) -> None:
    subject = factories.artifact()
    story.send(factories.provenance([subject], invocation="one"))
    story.send(factories.provenance([subject], invocation="two"))
    assert story.status(key_of(subject)) == ("verified", [])


def test_a_copy_that_was_never_checked(story: Story) -> None:
    subject = stored("copied")
    story.say(factories.GENERIC, {}, subject)
    assert story.status(key_of(subject)) == ("unverified", ["never-checked"])


def test_a_copy_with_a_fresh_match_is_verified(story: Story) -> None:
    subject = stored("matched")
    story.say(factories.GENERIC, {}, subject)
    story.check(subject, "match")
    assert story.status(key_of(subject)) == ("verified", [])
    assert story.api.get(f"/api/v1/nodes/{key_of(subject)}").json()["notes"] == []


def test_a_copy_that_could_not_be_checked(story: Story) -> None:
    subject = stored("unreadable")
    story.say(factories.GENERIC, {}, subject)
    story.check(subject, "inconclusive")
    assert story.status(key_of(subject)) == ("unverified", ["inconclusive"])


def test_an_inconclusive_check_leaves_a_fresh_match_alone(story: Story) -> None:
    subject = stored("shaky")
    story.say(factories.GENERIC, {}, subject)
    story.check(subject, "match", days_ago=1)
    story.check(subject, "inconclusive")
    assert story.status(key_of(subject)) == ("verified", [])


def test_a_copy_whose_last_match_is_too_old_is_expired(story: Story) -> None:
    subject = stored("old")
    story.say(factories.GENERIC, {}, subject)
    story.check(subject, "match", days_ago=8)
    assert story.status(key_of(subject)) == ("expired", ["check-overdue"])


def test_a_copy_that_differs_fails_the_artifact(story: Story) -> None:
    subject = stored("rotten")
    story.say(factories.GENERIC, {}, subject)
    story.check(subject, "match", days_ago=1)
    story.check(subject, "mismatch", observed="sha256:" + "e" * 64)
    assert story.status(key_of(subject)) == ("failed", ["copy-mismatch"])
    (copy,) = story.api.get(f"/api/v1/nodes/{key_of(subject)}").json()["copies"]
    assert copy["location"] == f"file://{ROOT}/model.bin"
    assert (copy["outcome"], copy["observed"]) == ("mismatch", "sha256:" + "e" * 64)


def test_an_old_pass_that_is_replayed_changes_nothing(story: Story) -> None:
    subject = stored("replayed")
    story.say(factories.GENERIC, {}, subject)
    story.check(subject, "mismatch", observed="sha256:" + "e" * 64)
    story.check(subject, "match", days_ago=2)
    assert story.status(key_of(subject)) == ("failed", ["copy-mismatch"])


def test_a_revoked_checkers_earlier_check_counts_again(story: Story) -> None:
    subject, checker = stored("rechecked"), factories.registered()
    story.say(factories.GENERIC, {}, subject)
    story.check(subject, "match", days_ago=2, by=checker)
    time.sleep(0.001)
    stolen = now_us()
    story.check(subject, "match", by=checker)
    assert story.status(key_of(subject)) == ("verified", [])
    factories.revoke(checker, stolen)
    assert story.status(key_of(subject)) == ("verified", [])


def test_a_revoked_checkers_only_check_counts_no_more(story: Story) -> None:
    subject, checker = stored("unchecked"), factories.registered()
    story.say(factories.GENERIC, {}, subject)
    stolen = now_us()
    story.check(subject, "match", by=checker)
    factories.revoke(checker, stolen)
    assert story.status(key_of(subject)) == ("unverified", ["never-checked"])


def test_a_scheme_in_capitals_is_the_same_copy(story: Story) -> None:
    subject = factories.artifact("shouted", downloadLocation=f"FILE://{ROOT}/model.bin")
    story.say(factories.GENERIC, {}, subject)
    story.check(subject, "mismatch", observed="sha256:" + "e" * 64)
    assert story.status(key_of(subject)) == ("failed", ["copy-mismatch"])


def test_a_location_outside_the_roots_is_no_copy(story: Story) -> None:
    subject = factories.artifact(downloadLocation="file:///srv/models/../secret/model.bin")
    story.say(factories.GENERIC, {}, subject)
    node = story.api.get(f"/api/v1/nodes/{key_of(subject)}") if story.graph() else None
    assert node is not None
    assert node.json()["copies"] == []
    assert node.json()["notes"] == ["bytes-not-checked"]


def test_a_run_by_its_builders_key_is_verified(story: Story) -> None:
    story.send(factories.provenance([factories.artifact()], [factories.artifact()], invocation="r"))
    assert story.status(run_key(BUILDER, "r", "")) == ("verified", [])


def test_a_run_with_an_undigested_input_is_unverified(story: Story) -> None:
    story.send(factories.provenance([factories.artifact()], [{"uri": "https://x.example/"}], invocation="r"))
    assert story.status(run_key(BUILDER, "r", "")) == ("unverified", ["input-undigested"])


def test_a_run_whose_signer_is_revoked_is_unverified(story: Story) -> None:
    since = now_us()
    story.send(factories.provenance([factories.artifact()], invocation="r"))
    factories.revoke(story.signer, since)
    assert story.status(run_key(BUILDER, "r", "")) == ("unverified", ["signer-revoked"])


def test_a_machine_without_evidence_is_unverified(story: Story) -> None:
    machine = factories.artifact("node-1")
    predicate = {"vendor": "v", "location": {"name": "hall", "jurisdiction": "DE"}, "supplier": {"name": "s"}}
    story.say(f"{OURS}hardware-node:v1", predicate, machine)
    assert story.status("hw:" + machine["digest"]["sha256"]) == ("unverified", ["no-evidence"])
    assert story.status(place_key("DE")) == ("unverified", ["asserted-only"])
    assert story.status(supplier_key("s")) == ("unverified", ["asserted-only"])


def test_a_deployment_is_as_what_it_deploys(story: Story) -> None:
    subject = stored("served")
    story.say(factories.GENERIC, {}, subject)
    story.say(f"{OURS}deployment:v1", {"name": "prod"}, subject)
    key = deployment_key(story.signer.key_id, "prod")
    assert story.status(key) == ("unverified", ["never-checked"])
    story.check(subject, "match")
    assert story.status(key) == ("verified", [])
    story.check(subject, "mismatch", observed="sha256:" + "e" * 64)
    assert story.status(key) == ("failed", ["copy-mismatch"])


def test_a_key_in_force_is_verified(story: Story) -> None:
    assert story.status(f"key:{story.signer.key_id}") == ("verified", [])


def test_a_key_before_its_time_is_unverified(story: Story) -> None:
    early = factories.registered(not_before_us=now_us() + DAY_US)
    assert story.status(f"key:{early.key_id}") == ("unverified", ["not-yet-valid"])


def test_a_key_past_its_end_is_expired_and_turns_nothing_else(story: Story) -> None:
    ending = factories.registered(not_after_us=now_us() + 400_000)
    subject = factories.artifact()
    story.say(factories.GENERIC, {}, subject, by=ending)
    time.sleep(0.5)
    assert story.status(f"key:{ending.key_id}") == ("expired", ["key-ended"])
    assert story.status(key_of(subject)) == ("verified", [])


def test_a_revoked_key_is_expired_and_a_compromised_one_failed(story: Story) -> None:
    lost, stolen = factories.registered(), factories.registered()
    factories.revoke(lost, now_us())
    factories.revoke(stolen, now_us(), compromised=True)
    assert story.status(f"key:{lost.key_id}") == ("expired", ["key-ended"])
    assert story.status(f"key:{stolen.key_id}") == ("failed", ["key-compromised"])


def test_what_a_compromised_key_alone_supports_taints_what_comes_from_it(story: Story) -> None:
    data, model = factories.artifact(), factories.artifact()
    since = now_us()
    story.say(f"{OURS}dataset:v1", {"name": "d"}, data)
    story.send(factories.provenance([model], [data]), by=factories.registered())
    factories.revoke(story.signer, since, compromised=True)
    assert story.status(key_of(data)) == ("unverified", ["signer-revoked"])
    assert story.status(key_of(model)) == ("verified", [])
    tainted = story.api.get(f"/api/v1/nodes/{key_of(model)}").json()["tainted_by"]
    assert [source["key"] for source in tainted] == [key_of(data)]


def test_the_four_sum_to_the_total(story: Story) -> None:
    story.send(factories.provenance([stored("a")], [factories.artifact(), {"uri": "https://x.example/"}]))
    story.graph()
    counted = {
        status: story.api.get("/api/v1/nodes", status=status).json()["total"]
        for status in ("verified", "unverified", "expired", "failed")
    }
    assert sum(counted.values()) == story.api.get("/api/v1/nodes").json()["total"]
