"""What the addresses of the endpoints name: things that are there, that are not, and names that can't be.

Also the bodies that reach the thing: without a good one the body would be complained about first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lineage.db.models import Node, Proposal
from lineage.services import (
    archive,
    decide_incidents,
    decide_signers,
    intake,
    jobs,
    layout_verdicts,
    layouts,
    publish,
    sources,
    storage_records,
    subscriptions,
    tokens,
)
from lineage.services.source_values import SourceValues
from lineage.services.storage_values import StorageValues
from tests import factories
from tests import layouts as layouts_of_tests
from tests.certificates import issue
from tests.contract.endpoints import Endpoint

BY = "os:tests"
HEX = "ab" * 32
MISSING: Mapping[str, str] = {
    "digest": f"sha256:{HEX}", "node": f"sha256:{HEX}", "run": f"run:{HEX}", "key": HEX, "root": HEX,
    "source": "nothing", "location": "nothing", "job": "999999", "subscription": "999999",
    "prefix": "00000000", "proposal": "999999", "layout": HEX, "verdict": f"sha256:{HEX}",
    "tile": "x001/000", "incident": f"sha256:{HEX}", "gitoid": HEX,
}  # fmt: skip
MALFORMED: Mapping[str, str] = {
    "digest": "sha256:zz", "node": "nonsense", "run": "run:%00", "key": "%00", "root": "zz", "source": "%00",
    "location": "%00", "job": "9" * 30, "subscription": "9" * 30, "prefix": "%22%3E", "proposal": "9" * 30,
    "layout": "zz", "verdict": "zz", "tile": "..%2F..%2Fetc", "incident": "%00",
    "gitoid": "zz",
}  # fmt: skip
"""As they stand in an address."""

REVOCATION = {"from": "2026-01-01T00:00:00Z", "reason": "lost", "compromised": False}
BODIES: Mapping[tuple[str, str], Any] = {
    ("api:revoke", "POST"): REVOCATION,
    ("api:revoke-root", "POST"): REVOCATION,
    ("api:rotate", "POST"): {
        "public_key": factories.signer().private.public.pem().decode(),
        "endorsement": {},
    },
    ("api:subscription", "PATCH"): {"paused": True},
    ("api:proposal-reject", "POST"): {"reason": "no"},
    ("api:layout-withdraw", "POST"): {"reason": "replaced"},
    ("api:layout-verify", "POST"): {"artifact": f"sha256:{factories.sha256('model.bin')}"},
}
FORMS: Mapping[str, Mapping[str, str]] = {
    "roots": {"name": "their CA", "kind": "x509", "material": issue("other ca").pem},
    "token-rotate": {"overlap": "24"},
    "incident-close": {"reason": "over"},
    "key-revoke": {"from_": "2026-01-01T00:00:00Z", "reason": "lost"},
    "layout-act": {"reason": "replaced"},
    "root-revoke": {"from_": "2026-01-01T00:00:00Z", "reason": "lost"},
}


def adopted_layout() -> str:
    """The id of a layout that nothing here fulfils."""
    data = layouts_of_tests.metablock(layouts_of_tests.two_steps(), "owner")
    owner = layouts_of_tests.key("owner").public.pem()
    done = layouts.adopt(data, [owner], "release", "agreed", person=BY)
    return done.receipt.subjects[0].digest["sha256"]


def made(follow: Callable[[], int]) -> dict[str, str]:
    """Something of everything that an address can name."""
    signer = factories.registered()
    envelope = signer.envelope(factories.provenance([factories.artifact("model.bin")]))
    told = intake.submit(envelope, token="tests")
    root = decide_signers.adopt_root(issue("ca").pem.encode(), "x509", "our CA", person=BY)
    sources.add("lab", SourceValues(url="http://127.0.0.1:9", webhook_secret="w" * 24), by=BY)
    storage_records.add(
        "models", "s3", StorageValues(uri="s3://models/prod", endpoint="http://127.0.0.1:9"), by=BY
    )
    followed, _ = subscriptions.add("webhook", "http://127.0.0.1:9/x", by=BY)
    job = jobs.enqueue("reverify", f"sha256:{HEX}")
    token, _ = tokens.create("endpoints", ["read"], expires_at=None, by=BY)
    follow()
    layout = adopted_layout()
    node = f"sha256:{factories.sha256('model.bin')}"
    verdict = layout_verdicts.verify(layout, node, person=BY)
    proposed = Proposal.objects.create(
        function="decide.revoke_key", arguments="{}", payload=factories.as_payload(factories.statement()),
        person=BY, role="operator", created_us=0, ends_us=1 << 60,
    )  # fmt: skip
    incident = decide_incidents.open_incident(node, "Recalled", "low", "told so", person=BY).receipt.digest
    follow()
    publish.publish_once()
    return {
        "digest": told.receipt.digest, "node": node, "layout": layout, "verdict": verdict.receipt.digest,
        "run": Node.objects.filter(kind="run").values_list("key", flat=True)[0], "key": signer.key_id,
        "root": root.receipt.subjects[0].digest["sha256"], "source": "lab", "location": "models",
        "job": str(job), "subscription": str(followed.id), "prefix": token.prefix,
        "proposal": str(proposed.pk), "tile": "000.p/1", "incident": incident,
        "gitoid": archive.gitoid(envelope),
    }  # fmt: skip


def filled(row: Endpoint, names: Mapping[str, str]) -> str:
    """The row's address with the things put in; what is not in braces stays."""
    address = row.path
    for name, value in names.items():
        address = address.replace("{" + name + "}", value)
    return address
