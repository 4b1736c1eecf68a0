"""Real Sigstore bundles, sent to a log that knows their identity: taken as they are, whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lineage.db.models import Entry
from lineage.services import decide_signers
from tests.conftest import Api, problem
from tests.factories import ANY, PERSON

FAMILY = "slsa"
ROOT = "roots/public-good.json"
UNREAD = ("valid.intoto.sigstore",)
APPLIES = {
    "test_taken": lambda case: case["expect"] == "verified" and case["file"] not in UNREAD,
    "test_refused": lambda case: case["expect"] != "verified" or case["file"] in UNREAD,
    "test_nobody_registered": lambda case: case["expect"] == "verified" and case["file"] not in UNREAD,
}
ISSUER = "https://token.actions.githubusercontent.com"


def sent(vectors: Path, case: dict[str, Any], api: Api) -> Any:
    data = (vectors / case["file"]).read_bytes().strip()
    return api.post("/api/v1/attestations", data, "application/vnd.dev.sigstore.bundle.v0.3+json")


def adopted(vectors: Path) -> str:
    material = (vectors / ROOT).read_bytes()
    done = decide_signers.adopt_root(material, "sigstore", "public good", person=PERSON)
    return done.receipt.subjects[0].digest["sha256"]


def registered(root: str) -> None:
    decide_signers.register_identity(ISSUER, "https://github.com/*", root, "GitHub", ANY, person=PERSON)


def test_taken(vectors: Path, case: dict[str, Any], api: Api) -> None:
    registered(adopted(vectors))
    answer = sent(vectors, case, api)
    assert answer.status_code == 201, answer.content
    receipt = answer.json()
    assert [each["name"] for each in receipt["signers"]] == ["GitHub"]
    record = api.get(receipt["links"]["self"]).json()
    assert record["signatures"][-1]["outcome"] == "verified"
    assert "github.com" in record["signatures"][-1]["hint"]
    assert api.get(receipt["links"]["envelope"]).content == (vectors / case["file"]).read_bytes().strip()


def test_refused(vectors: Path, case: dict[str, Any], api: Api) -> None:
    registered(adopted(vectors))
    size = Entry.objects.count()
    answer = sent(vectors, case, api)
    assert answer.status_code in (400, 422)
    assert problem(answer)
    assert Entry.objects.count() == size


def test_nobody_registered(vectors: Path, case: dict[str, Any], api: Api) -> None:
    adopted(vectors)
    answer = sent(vectors, case, api)
    assert problem(answer) == (422, "signer-unknown")
    assert "nobody registered" in answer.json()["detail"]
