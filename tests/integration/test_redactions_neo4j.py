"""Neo4j forgets what was redacted, and is then what a projection of the log makes anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineage.db.models import Entry
from lineage.service_urls import Bolt
from lineage.services import graph_check, project, project_neo4j, redact
from tests import factories
from tests.factories import PERSON
from tests.integration.neo4j_graphs import by_hand, expected, follow, projecting_into, stored
from tests.integration.projections import key_of, send

pytestmark = pytest.mark.service


@pytest.fixture
def bolt(log: None, fresh_neo4j: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bolt]:
    with projecting_into(fresh_neo4j, monkeypatch) as bolt:
        yield bolt


def test_what_was_redacted_is_not_in_neo4j_either(bolt: Bolt) -> None:
    who = factories.registered()
    gone = send(who, factories.provenance([factories.artifact("Ada's model")], invocation="r"))
    send(who, factories.statement(factories.artifact("kept")))
    while project.project_pending():
        pass
    follow()
    named = "MATCH (n:Node {key: $key}) RETURN count(n)"
    assert by_hand(bolt, named, key=key_of("Ada's model")) == [[1]]
    state = project_neo4j.graph().state()
    redact.redact([f"sha256:{Entry.objects.get(pk=gone).envelope_digest}"], "it names Ada", person=PERSON)
    while project.project_pending():
        pass
    follow()
    assert by_hand(bolt, named, key=key_of("Ada's model")) == [[0]]
    assert by_hand(bolt, named, key=key_of("kept")) == [[1]]
    assert stored(bolt) == expected()
    after = project_neo4j.graph().state()
    assert state is not None
    assert after is not None
    assert after.generation != state.generation
    before = stored(bolt)
    project_neo4j.rebuild()
    assert stored(bolt) == before
    assert graph_check.check("sql").differences == 0
