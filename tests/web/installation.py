"""A small installation that has something of everything: sent through the real intake, signed for real.

Owns: what is in it. The names are those that an officer would read on the pages.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests import factories
from tests.factories import Signer

ROOT = "/srv/data"
DAY_US = 86_400_000_000
CHECK = "urn:lineage:predicate:check:v1"
DATASET = "urn:lineage:predicate:dataset:v1"
DEPLOYMENT = "urn:lineage:predicate:deployment:v1"
HARDWARE = "urn:lineage:predicate:hardware-node:v1"
MODEL = "urn:lineage:predicate:model:v1"
TRAINING = "urn:lineage:predicate:training-run:v1"

CLAIMS = factories.sha256("claims-2025.parquet")
GLOSSARY = factories.sha256("glossary.parquet")
TRIAGE = factories.sha256("claims-triage-2.1.0.safetensors")
MACHINE = factories.sha256("fra2-gpu-017 identity key")


@dataclass(frozen=True)
class Installation:
    """Who signed in it. `sealed` names the envelope of the training run (`sha256:<hex>`)."""

    pipeline: Signer
    ending: Signer
    revoked: Signer
    sealed: str


def fill(follow: Callable[[], int]) -> Installation:
    """Send everything, then bring the graph up to it with `follow`."""
    pipeline = factories.registered(name="claims-triage pipeline")
    ending = factories.registered(name="nightly evaluation", not_after_us=_now_us() + 5 * DAY_US)
    revoked = factories.registered(name="old workstation")
    for statement in (
        dataset("claims-2025.parquet", CLAIMS),
        dataset("glossary.parquet", GLOSSARY),
        _machine(),
    ):
        send(pipeline, statement)
    sealed = send(pipeline, _training())
    for statement in (_model(), _deployment(), _checks()):
        send(pipeline, statement)
    send(revoked, dataset("scraped-forum.jsonl", factories.sha256("scraped-forum.jsonl")))
    factories.revoke(revoked, _now_us() - DAY_US, reason="Laptop stolen on 3 March", compromised=True)
    refuse(factories.signer("stranger"), dataset("injected.parquet", factories.sha256("injected.parquet")))
    follow()
    return Installation(pipeline, ending, revoked, sealed)


def send(who: Signer, statement: dict[str, Any]) -> str:
    """Take the statement in, signed by `who`; returns the digest of its envelope."""
    from lineage.services import intake

    return intake.submit(who.envelope(statement), token="tests").receipt.digest


def refuse(who: Signer, statement: dict[str, Any]) -> None:
    """Send what must be refused: `who` is not registered."""
    from lineage.errors import SignerUnknownError

    try:
        send(who, statement)
    except SignerUnknownError:
        return
    raise AssertionError("a stranger's statement was taken in")


def _now_us() -> int:
    return time.time_ns() // 1000


def _at(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat(timespec="seconds").replace("+00:00", "Z")


def dataset(name: str, digest: str) -> dict[str, Any]:
    subject = factories.artifact(name, digest, downloadLocation=f"file://{ROOT}/{name}")
    predicate = {"name": name.rpartition(".")[0], "license": "proprietary", "personalData": "pseudonymised"}
    return factories.statement(subject, predicate_type=DATASET, predicate=predicate)


def _machine() -> dict[str, Any]:
    predicate = {"vendor": "Supermicro", "model": "8 x H100", "location": {"name": "Frankfurt FRA2"}}
    return factories.statement(
        factories.artifact("fra2-gpu-017", MACHINE), predicate_type=HARDWARE, predicate=predicate
    )


def _training() -> dict[str, Any]:
    predicate = {
        "builder": {"id": factories.BUILDER},
        "invocationId": "runs/4711",
        "name": "claims-triage fine-tuning 4711",
        "activity": "fine-tuning",
        "startedOn": _at(hours=5),
        "finishedOn": _at(hours=2),
        "inputs": [
            factories.artifact("claims-2025.parquet", CLAIMS, role="dataset"),
            factories.artifact("glossary.parquet", GLOSSARY, role="dataset"),
            {"name": "Open legal glossary", "uri": "https://glossary.example/dump", "role": "dataset"},
        ],
        "outputs": [{"name": "claims-triage-2.1.0.safetensors", "role": "model"}],
        "hardware": [factories.artifact("fra2-gpu-017", MACHINE)],
    }
    subject = factories.artifact("claims-triage-2.1.0.safetensors", TRIAGE)
    return factories.statement(subject, predicate_type=TRAINING, predicate=predicate)


def _model() -> dict[str, Any]:
    subject = factories.artifact("claims-triage-2.1.0.safetensors", TRIAGE)
    predicate = {
        "name": "claims-triage",
        "version": "2.1.0",
        "license": "Apache-2.0",
        "task": "text-classification",
    }
    return factories.statement(subject, predicate_type=MODEL, predicate=predicate)


def _deployment() -> dict[str, Any]:
    subject = factories.artifact("claims-triage-2.1.0.safetensors", TRIAGE)
    predicate = {"name": "claims-triage production", "environment": "production", "deployedOn": _at(hours=1)}
    return factories.statement(subject, predicate_type=DEPLOYMENT, predicate=predicate)


def _checks() -> dict[str, Any]:
    """One copy that still matches and one that was altered."""
    rows = [
        _row(CLAIMS, f"file://{ROOT}/claims-2025.parquet", CLAIMS, "match"),
        _row(GLOSSARY, f"file://{ROOT}/glossary.parquet", factories.sha256("altered"), "mismatch"),
    ]
    subjects = [{"digest": {"sha256": digest}} for digest in (CLAIMS, GLOSSARY)]
    return factories.statement(*subjects, predicate_type=CHECK, predicate={"rows": rows})


def _row(digest: str, location: str, observed: str, outcome: str) -> dict[str, str]:
    return {
        "digest": f"sha256:{digest}",
        "location": location,
        "method": "sha256",
        "expected": f"sha256:{digest}",
        "observed": f"sha256:{observed}",
        "outcome": outcome,
        "at": _at(minutes=40),
    }
