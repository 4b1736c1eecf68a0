"""Whose facts count: each signer once, only who might say it then, with the trust of the entry's kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineage.db.models import Support
from lineage.services import platform_keys
from lineage.services.clock import now_us
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from lineage.trust.policy import Scopes
from tests import factories
from tests.integration.projections import key_of, observe, send, send_envelope, status_at

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]


def test_the_same_statement_by_the_same_signer_counts_once(graph: Follow) -> None:
    one, two = factories.registered(), factories.registered()
    made = factories.provenance([factories.artifact()])
    first = send(one, made)
    again = send_envelope(one.envelope(made, keyid=None))
    other = send(two, made)
    graph()
    assert set(Support.objects.values_list("index", flat=True)) == {first, other}
    assert again == first + 1


def test_a_second_signer_in_a_repeated_statement_counts_for_itself(graph: Follow) -> None:
    one, two = factories.registered(), factories.registered()
    made = factories.provenance([factories.artifact()])
    send(one, made)
    payload = factories.as_payload(made)
    both = send_envelope(
        factories.pack(payload, INTOTO_PAYLOAD_TYPE, [one.signature(payload), two.signature(payload)])
    )
    graph()
    signers = Support.objects.filter(index=both).values_list("signer__key", flat=True)
    assert set(signers) == {f"key:{two.key_id}"}


def test_a_signer_that_may_not_say_it_gives_no_facts(graph: Follow) -> None:
    wide = factories.registered()
    narrow = factories.registered(Scopes(predicate_types=("https://example.com/other",)))
    made = factories.provenance([factories.artifact()])
    payload = factories.as_payload(made)
    both = send_envelope(
        factories.pack(payload, INTOTO_PAYLOAD_TYPE, [narrow.signature(payload), wide.signature(payload)])
    )
    graph()
    signers = Support.objects.filter(index=both).values_list("signer__key", flat=True)
    assert set(signers) == {f"key:{wide.key_id}"}


def test_a_key_that_is_not_in_force_gives_no_facts(graph: Follow) -> None:
    wide = factories.registered()
    ended = factories.registered(not_after_us=now_us() - 1)
    payload = factories.as_payload(factories.provenance([factories.artifact()]))
    both = send_envelope(
        factories.pack(payload, INTOTO_PAYLOAD_TYPE, [ended.signature(payload), wide.signature(payload)])
    )
    size = graph()
    signers = Support.objects.filter(index=both).values_list("signer__key", flat=True)
    assert set(signers) == {f"key:{wide.key_id}"}
    assert status_at(f"key:{ended.key_id}", size) == ("expired", "key-ended")


def test_trust_is_by_the_kind_of_entry(graph: Follow) -> None:
    seen = factories.artifact()
    observe(factories.statement(seen), platform_keys.load().collector)
    assert status_at(key_of(seen["name"]), graph()) == ("unverified", "observed-only")
