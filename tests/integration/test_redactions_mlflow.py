"""A redacted observation of an MLflow run: what was recorded goes, and a sync does not record it anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineage.db.models import Entry, Envelope
from lineage.localservices.service import LocalService
from lineage.services import mlflow_state, redact
from tests.factories import PERSON
from tests.integration.followed import Followed
from tests.mlflow_rest import Rest

pytestmark = pytest.mark.service


@pytest.fixture
def lab(graph: Callable[[], int], emptied_mlflow: LocalService) -> Followed:
    followed = Followed(Rest(emptied_mlflow.url), graph)
    followed.follow()
    return followed


def test_a_redacted_run_is_not_recorded_anew_until_it_changes(lab: Followed) -> None:
    run = lab.rest.run()
    lab.rest.param(run, "trained_by", "Ada Lovelace")
    lab.rest.finish(run)
    lab.sync()
    assert "Ada Lovelace" in str(mlflow_state.unpack(bytes(lab.row("run", run).record)))
    entry = lab.row("run", run).entry_index
    digest = Entry.objects.get(pk=entry).envelope_digest
    redact.redact([f"sha256:{digest}"], "it names Ada", person=PERSON)
    lab.graph()
    assert not Envelope.objects.filter(entry__envelope_digest=digest).exists()
    assert "Ada" not in str(mlflow_state.unpack(bytes(lab.row("run", run).record)))
    before = lab.entries()
    lab.sync(sweep=True)
    assert lab.entries() == before, "it has not changed there"
    lab.rest.tag(run, "reviewed", "yes")
    lab.sync(sweep=True)
    assert lab.row("run", run).entry_index > entry
    lab.rest.post("runs/delete", run_id=run)
    lab.sync(sweep=True)
    assert lab.row("run", run).state == "deleted"
