"""What is not believed any more of a layout: its adoption or withdrawal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from lineage.db.models import Entry
from lineage.errors import NotFoundError
from lineage.services import (
    as_of,
    layout_records,
    layout_verdicts,
    layouts,
    log_decisions,
)
from lineage.services.clock import now_us
from lineage.trust.keys import PrivateKey
from tests import factories
from tests.factories import PERSON
from tests.integration.replacing import offline_root, replace_platform
from tests.integration.test_layouts import ARTIFACT, adopt, sent, verdict
from tests.layouts import two_steps

__all__ = ["sent"]

pytestmark = pytest.mark.usefixtures("key_folder")

Follow = Callable[[], int]
THIEF = "os:nobody"


@pytest.fixture
def root(log: None) -> PrivateKey:
    return offline_root()


def state_of(layout_id: str, size: int | None = None) -> str:
    """in-force, expired or withdrawn as of a tree size (None: now); "unknown" where it is not adopted."""
    moment = as_of.resolve(None if size is None else str(size))
    try:
        found = layout_records.one(layout_id, moment)
    except NotFoundError:
        return "unknown"
    return layout_records.state(found, layout_records.asked(found), moment)


def test_a_layout_that_a_thief_adopted_judges_nothing_once_the_root_has_said_so(
    root: PrivateKey, sent: list[str], graph: Follow
) -> None:
    mine = adopt(two_steps(readme="mine"))
    since = now_us()
    theirs = adopt()
    made = verdict(theirs)
    stolen = graph()
    replace_platform(root, since)
    graph()
    assert (state_of(theirs, stolen), state_of(theirs)) == ("in-force", "unknown")
    assert list(layout_records.below(Entry.objects.count())) == [mine]
    with pytest.raises(NotFoundError):
        layout_verdicts.verify(theirs, ARTIFACT, person=PERSON)
    with pytest.raises(NotFoundError):
        layouts.withdraw(theirs, "it is none of mine", person=PERSON)
    then = layout_verdicts.one(made.digest, as_of.resolve(str(stolen)))
    assert (then.layout_id, then.since) == (theirs, ())
    now = layout_verdicts.one(made.digest, as_of.resolve(None))
    assert now.layout_id == ""
    assert "The layout's adoption is not believed any more." in now.since
    assert verdict(mine).summary.outcome == "verified"
    assert adopt() == theirs, "its owner may adopt it after all"
    assert state_of(theirs) == "in-force"


def test_a_layout_that_a_thief_withdrew_is_in_force_again(
    root: PrivateKey, sent: list[str], graph: Follow
) -> None:
    layout_id = adopt()
    since = now_us()
    layouts.withdraw(layout_id, "none of your business", person=THIEF)
    stolen = graph()
    replace_platform(root, since)
    graph()
    assert (state_of(layout_id, stolen), state_of(layout_id)) == ("withdrawn", "in-force")
    assert verdict(layout_id).summary.outcome == "verified"


def test_a_layout_that_a_thief_adopted_anew_is_withdrawn_as_its_owner_left_it(
    root: PrivateKey, graph: Follow
) -> None:
    layout_id = adopt()
    index = layouts.withdraw(layout_id, "replaced", person=PERSON).receipt.index
    since = now_us()
    adopt()
    stolen = graph()
    replace_platform(root, since)
    assert (state_of(layout_id, stolen), state_of(layout_id)) == ("in-force", "withdrawn")
    found = layout_records.one(layout_id, as_of.resolve(None)).withdrawn
    assert found is not None
    assert (found.index, found.person, found.reason) == (index, PERSON, "replaced")


def test_what_is_remembered_of_layouts_is_what_is_read(root: PrivateKey) -> None:
    """By pieces and at once, forwards and as of the past."""
    layout_id = adopt()
    since = now_us()
    layouts.withdraw(layout_id, "none of your business", person=THIEF)
    adopt(two_steps(readme="theirs"))
    replace_platform(root, since)
    sizes = range(1, Entry.objects.count() + 1)
    stepped = [dict(layout_records.below(at)) for at in sizes]
    log_decisions.forget()
    assert [dict(layout_records.below(at)) for at in reversed(sizes)] == stepped[::-1]
    assert [len(each) for each in stepped][-4:] == [1, 1, 2, 1]


def test_pages_lead_from_a_verdict_by_a_thief_s_layout_to_its_entry(
    root: PrivateKey, sent: list[str], graph: Follow
) -> None:
    since = now_us()
    theirs = adopt()
    made = verdict(theirs)
    stolen = graph()
    replace_platform(root, since)
    graph()
    client = Client()
    client.force_login(factories.user("operator"))
    page = client.get(f"/artifacts/{ARTIFACT}").content.decode()
    assert "not believed any more" in page
    assert f"/attestations/{made.digest}" in page
    assert f"/layouts/{theirs}" not in page
    assert client.get(f"/layouts/{theirs}").status_code == 404
    assert client.get(f"/layouts/{theirs}?as_of={stolen}").status_code == 200
    assert client.get(f"/layouts/{theirs}/verdicts/{made.digest}?as_of={stolen}").status_code == 200
    assert theirs not in client.get("/layouts").content.decode()
