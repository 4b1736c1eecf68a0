"""How many inputs are attested, and that each gap's command, run as it stands but for capitals, closes it."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from lineage.cli.main import lineage as command_line
from lineage.services import as_of, completeness, decide, intake
from lineage.services.clock import now_us
from lineage.services.completeness import Completeness
from lineage.trust.policy import Scopes
from tests import factories
from tests.conftest import Api
from tests.integration.projections import ROOT, check, key_of, observe, send

DATASET = "urn:lineage:predicate:dataset:v1"
NASTY = "$(touch owned) `id`;'\"\\ --key x"
Follow = Callable[[], int]


def asked(name: str = "model", limit: int = completeness.PAGE) -> Completeness:
    return completeness.completeness(key_of(name), as_of.resolve(None), limit=limit)


@pytest.fixture
def model(graph: Follow) -> factories.Signer:
    """A model from two datasets, one of them attested, and a name without a digest."""
    who = factories.registered(name="pipeline")
    inputs = [
        factories.artifact("attested", annotations={"role": "dataset"}),
        factories.artifact(NASTY, annotations={"role": "dataset"}),
        {"uri": "https://example.com/corpus", "name": "corpus"},
    ]
    send(who, factories.statement(inputs[0], predicate_type=DATASET, predicate={"name": "attested"}))
    send(who, factories.provenance([factories.artifact("model")], inputs, invocation="run 1"))
    graph()
    return who


def test_inputs_are_counted_whatever_their_status_says(model: factories.Signer, graph: Follow) -> None:
    found = asked()
    assert (found.attested, found.inputs, found.attested_runs, found.runs) == (1, 3, 1, 1)
    assert found.gaps_by_slug == {"input-undigested": 1, "no-attestation": 1, "uri-only": 1}
    assert found.gaps_total == len(found.gaps) == 3
    assert asked(limit=1).next == "1"
    assert asked("attested").inputs == 0


def test_what_failed_lacks_its_statement_all_the_same(
    model: factories.Signer, graph: Follow, storage_root: None
) -> None:
    """Its status tells of the copy alone."""
    from lineage.services import lineage

    place = f"file://{ROOT}/nasty"
    named = factories.artifact(NASTY, downloadLocation=place)
    send(model, factories.provenance([factories.artifact("model 2")], [named], invocation="run 2"))
    observe(check(key_of(NASTY).partition(":")[2], place, "mismatch", now_us()))
    graph()
    assert lineage.node(key_of(NASTY), as_of.resolve(None)).reasons == ("copy-mismatch",)
    assert asked("model 2").gaps_by_slug == {"no-attestation": 1}
    assert (asked("model 2").attested, asked("model 2").inputs) == (0, 1)


def test_a_revoked_signers_word_counts_no_more_and_did_before(model: factories.Signer, graph: Follow) -> None:
    before = graph()
    decide.revoke_key(model.key_id, 0, "lost", person="os:test")
    graph()
    found = asked()
    assert (found.attested, found.attested_runs) == (0, 0)
    assert found.gaps_by_slug["signer-revoked"] >= 1
    assert all(gap.signers == () for gap in found.gaps), "nobody is left"
    assert completeness.completeness(key_of("model"), as_of.resolve(str(before))).attested == 1


def test_the_command_closes_the_gap_and_runs_nothing_else(
    model: factories.Signer, graph: Follow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = factories.registered(Scopes(predicate_types=(DATASET,)), name="data office")
    factories.registered(Scopes(predicate_types=(DATASET,), subjects=("other/*",)), name="elsewhere")
    graph()
    gap = next(gap for gap in asked().gaps if gap.key == key_of(NASTY))
    assert gap.signers == ("data office", "pipeline")
    assert gap.predicate_type == DATASET
    monkeypatch.chdir(tmp_path)
    split = subprocess.run(  # a real shell takes it apart
        ["sh", "-c", f"printf '%s\\n' {gap.command}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert split == shlex.split(gap.command)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "PREDICATE.json").write_text(json.dumps({"name": "claims"}))
    (tmp_path / "KEY.pem").write_bytes(office.private.to_pem())
    arguments = [*split[1 : split.index("--url")], "--out", "signed.json"]
    done = CliRunner().invoke(command_line, arguments)
    assert done.exit_code == 0, done.output
    intake.submit((tmp_path / "signed.json").read_bytes().strip(), token="test")
    graph()
    found = asked()
    assert found.attested == 2
    assert key_of(NASTY) not in {gap.key for gap in found.gaps}


def test_by_rest_and_as_a_file(model: factories.Signer, api: Api, auditor_csv: Callable[[str], str]) -> None:
    told = api.get(f"/api/v1/nodes/{key_of('model')}/completeness", limit=2).json()
    assert (told["attested"], told["inputs"], len(told["gaps"]), told["next"]) == (1, 3, 2, "2")
    assert api.get(f"/api/v1/nodes/{key_of('model')}/completeness", after="x").status_code == 400
    assert api.get(f"/api/v1/nodes/{key_of('nobody')}/completeness").status_code == 404
    assert auditor_csv(f"/completeness/{key_of('model')}?format=csv").count("lineage attest") == 3


@pytest.fixture
def auditor_csv(log: None) -> Callable[[str], str]:
    from django.test import Client

    def get(address: str) -> str:
        client = Client()
        client.force_login(factories.user("auditor"), "allauth.account.auth_backends.AuthenticationBackend")
        return b"".join(client.get(address).streaming_content).decode()  # type: ignore[attr-defined]

    return get
