"""Pages that say what was seen on MLflow: of a run, a model, a registered model, and the first page."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from lineage import visible
from lineage.db.models import Entry, Envelope
from lineage.graph.model import run_key
from lineage.mlflow import records
from tests import factories
from tests.integration.test_publish import lifted
from tests.observing import Observing, folder_key, run_node
from tests.web import installation
from tests.web.axe import violations
from tests.web.conftest import PASSWORD, sign_in

FILES = {"MLmodel": "flavors", "model.pkl": "weights"}
ALTERED = {**FILES, "model.pkl": "weightz"}
HOSTILE = "<script>alert(1)</script>\"'\u202egnp.exe&amp; {{ 7|add:7 }} ../.."
GAPS = ["base-model-unrecorded", "code-unrecorded", "uncommitted-code"]


def text_of(answer: Any) -> str:
    """What a person reads: no tags, white space as single spaces."""
    assert answer.status_code == 200, answer.content[:500]
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", entities.unescape(plain))


def fill(graph: Callable[[], int]) -> Observing:
    """A run that was changed after it finished, a model that was overwritten, and a champion that moved."""
    lab = Observing()
    lab.run("r1", status="RUNNING", name="claims-triage 4711")
    lab.run("r1", name="claims-triage 4711", tags={"approved": "no"}, gaps=GAPS)
    raw = {"info": {"model_id": "m-1", "name": "fraud", "status": "LOGGED_MODEL_READY"}}
    lab.offer(records.logged_model(raw))
    lab.model("m-1", FILES)
    lab.version("fraud-model", "1", "m-1", FILES)
    lab.registered("fraud-model", {"champion": "1"})
    lab.model("m-2", {"model.pkl": "other"})
    lab.version("fraud-model", "2", "m-2", {"model.pkl": "other"})
    lab.registered("fraud-model", {"champion": "2", "previous": "1"})
    lab.run("r1", name="claims-triage 4711", tags={"approved": "yes", "ticket": "77"}, gaps=GAPS)
    lab.model("m-1", ALTERED)
    graph()
    return lab


@pytest.fixture
def lab(graph: Callable[[], int]) -> Observing:
    return fill(graph)


def test_a_run_shows_what_changed_after_it_finished(auditor: Client, lab: Observing) -> None:
    answer = auditor.get(f"/runs/{run_node('r1')}")
    text = text_of(answer)
    assert "Seen on MLflow" in text
    assert "Run on lab changed after it finished Tag approved no → became yes" in text
    assert "Tag ticket none → became 77" in text
    assert "Status RUNNING → became FINISHED" in text
    assert text.count("changed after it finished") == 1
    assert "First seen, present" in text
    changed = lab.last["run", "r1"][1]
    digest = Entry.objects.get(index=changed).envelope_digest
    assert f'<a href="/attestations/sha256:{digest}">{changed}</a>' in answer.content.decode()


def test_a_run_before_the_change_shows_none(auditor: Client, lab: Observing) -> None:
    changed = lab.last["run", "r1"][1]
    text = text_of(auditor.get(f"/runs/{run_node('r1')}?as_of={changed}"))
    assert "Seen on MLflow" in text
    assert "changed after it finished" not in text
    assert "ticket" not in text


def test_a_run_shows_its_gaps_and_what_closes_them(auditor: Client, lab: Observing) -> None:
    text = text_of(auditor.get(f"/runs/{run_node('r1')}"))
    assert "does not say which model it started from" in text
    assert "The tag lineage.base_model on the MLflow run" in text
    assert "with the builder urn:lineage:mlflow:lab and the invocation id r1" in text
    assert "changes that were not committed" in text


def test_a_model_shows_its_versions_and_when_it_was_champion(auditor: Client, lab: Observing) -> None:
    answer = auditor.get(f"/artifacts/{folder_key(FILES)}")
    text, html = text_of(answer), answer.content.decode()
    assert "fraud-model version 1 on lab" in text
    assert re.search(r"champion when first seen, \d+ Mar 2026 \d\d:\d\d UTC entry \d+", text)
    assert re.search(r"previous \d+ Mar 2026 \d\d:\d\d UTC entry \d+ now", text)
    assert '<a href="/sources/lab/models/fraud-model">' in html
    assert "File model.pkl sha256" in text
    assert "Files of the model on lab changed after it finished" in text


def test_bytes_that_were_overwritten_say_which_ones_lie_there_now(auditor: Client, lab: Observing) -> None:
    answer = auditor.get(f"/artifacts/{folder_key(FILES)}")
    assert "No longer what lies on MLflow Logged model m-1 on lab had these bytes, and has others" in text_of(
        answer
    )
    assert f'href="/artifacts/{folder_key(ALTERED)}"' in answer.content.decode()
    assert "No longer" not in text_of(auditor.get(f"/artifacts/{folder_key(ALTERED)}"))
    before = lab.last["logged-model-files", "m-1"][1]
    assert "No longer" not in text_of(auditor.get(f"/artifacts/{folder_key(FILES)}?as_of={before}"))


def test_a_registered_model_has_a_page(auditor: Client, lab: Observing) -> None:
    answer = auditor.get("/sources/lab/models/fraud-model")
    text, html = text_of(answer), answer.content.decode()
    assert "Registered model on lab · 2 versions seen" in text
    assert re.search(r"champion 2 \d+ Mar 2026 \d\d:\d\d UTC entry \d+ now", text)
    assert "Aliases now champion version 2 previous version 1" in text
    assert f'href="/artifacts/{folder_key(FILES)}"' in html
    assert f'href="/runs/{run_node("r1")}"' in html
    assert "Alias champion 1 → became 2" in text
    before = lab.last["registered-model", "fraud-model"][1]
    then = auditor.get(f"/sources/lab/models/fraud-model?as_of={before}")
    assert "Aliases then champion version 1" in text_of(then)
    assert f'href="/artifacts/{folder_key(FILES)}?as_of={before}"' in then.content.decode()


@pytest.mark.parametrize(
    "path", ["lab/models/none", "other/models/fraud-model", "lab/models/", "lab/models/a%00"]
)
def test_a_registered_model_that_was_not_seen(auditor: Client, lab: Observing, path: str) -> None:
    answer = auditor.get(f"/sources/{path}")
    assert answer.status_code == 404
    assert b"Traceback" not in answer.content


def test_the_first_page_lists_changes_after_the_fact(auditor: Client, lab: Observing) -> None:
    answer = auditor.get("/")
    text = text_of(answer)
    assert "Changed on MLflow after it finished: 2" in text
    assert "A change is no failed status by itself" in text
    assert f'<a href="/nodes/{run_node("r1")}"><bdi>claims-triage 4711</bdi></a>' in answer.content.decode()
    first = lab.last["run", "r1"][1]
    assert "Changed on MLflow" not in text_of(auditor.get(f"/?as_of={first}"))
    assert "Changed on MLflow after it finished: 1" in text_of(auditor.get(f"/?as_of={first + 1}"))


def test_nothing_seen_on_mlflow_says_nothing_of_it(
    auditor: Client, installed: installation.Installation
) -> None:
    for path in ("/", f"/artifacts/sha256:{installation.TRIAGE}"):
        assert "MLflow" not in text_of(auditor.get(path))


def test_where_a_run_was_signed_and_observed_differently(auditor: Client, graph: Callable[[], int]) -> None:
    lab = Observing()
    lab.run("r1")
    used = {"name": "other.csv", "digest": {"sha256": factories.sha256("other")}}
    record = records.run_lineage(lab.last["run", "r1"][0], [used], [])
    lab.offer(record, used=[used])
    signer = factories.registered()
    key = run_key("urn:lineage:mlflow:lab", "r1", "")
    installation.send(
        signer,
        factories.provenance(
            [factories.artifact("model")],
            [factories.artifact("train.csv")],
            builder="urn:lineage:mlflow:lab",
            invocation="r1",
        ),
    )
    graph()
    text = text_of(auditor.get(f"/runs/{key}"))
    assert "What the pipeline signed and what was observed disagree" in text
    assert "Where what was signed and what was observed disagree" in text
    section = text.partition("Where what was signed and what was observed disagree")[2]
    assert "used" in section
    assert "other.csv" in section.partition("Seen on MLflow")[0]
    assert "train.csv" not in section.partition("Seen on MLflow")[0]


@pytest.mark.parametrize("name", [HOSTILE, "..", ".", "a/../b", "a//b", "ä b#c?d%2F", "模型", "x" * 250])
def test_hostile_names(auditor: Client, graph: Callable[[], int], name: str) -> None:
    lab = Observing()
    lab.run("r1", name=name, tags={"n": "1"})
    lab.run("r1", name=name, tags={name: name})
    lab.model("m-1", FILES, name=name)
    lab.version(name, "1", "m-1", FILES)
    lab.registered(name, {name[:200]: "1"})
    lab.registered(name, {"champion": "1"})
    graph()
    pages = [f"/runs/{run_node('r1')}", f"/artifacts/{folder_key(FILES)}", "/"]
    answers = [auditor.get(page) for page in pages]
    links = set(re.findall(r'href="(/sources/[^"]*)"', answers[1].content.decode()))
    assert len(links) == 1
    (link,) = (entities.unescape(each) for each in links)
    assert not re.search(r"/\.{1,2}(/|$)|//", link.partition("?")[0])
    answers.append(auditor.get(link))
    for answer in answers:
        text = text_of(answer)
        assert "<script>alert" not in answer.content.decode()
        shown = visible.text(name)
        assert shown[:200] in text or " ".join(shown.split())[:200] in text
    assert "1 version seen" in text_of(answers[-1])
    past = auditor.get(f"{pages[1]}?as_of={lab.last['registered-model', name][1]}")
    (then,) = set(re.findall(r'href="(/sources/[^"]*)"', past.content.decode()))
    assert "Aliases then" in text_of(auditor.get(entities.unescape(then)))


def test_a_name_in_a_path_is_quoted(auditor: Client, graph: Callable[[], int]) -> None:
    lab = Observing()
    lab.registered("a b/c#d?e", {"champion": "1"})
    graph()
    assert "a b/c#d?e" in text_of(auditor.get(f"/sources/lab/models/{quote('a b/c#d?e')}"))


def test_an_entry_without_its_bytes_breaks_no_page(auditor: Client, lab: Observing) -> None:
    index = lab.last["run", "r1"][1]
    with lifted("log_envelope"):
        Envelope.objects.filter(pk=index).delete()
    text = text_of(auditor.get(f"/runs/{run_node('r1')}"))
    assert "The bytes of this entry are not stored here any more, or not understood" in text
    assert "First seen, present" in text
    assert "the bytes of 1 of them are not stored here any more" in text


def test_many_changes_of_one_look_are_counted(auditor: Client, graph: Callable[[], int]) -> None:
    lab = Observing()
    lab.run("r1")
    lab.run("r1", tags={f"t{number:03}": "x" * 900 for number in range(120)})
    graph()
    answer = auditor.get(f"/runs/{run_node('r1')}")
    assert "100 more changes" in text_of(answer)
    assert len(answer.content) < 120_000


def test_pages_have_no_violations(watched: Any, live_server: Any, graph: Callable[[], int]) -> None:
    person = factories.user("auditor", PASSWORD)
    fill(graph)
    sign_in(watched, live_server.url, person.email)
    for path in (
        f"/runs/{run_node('r1')}",
        f"/artifacts/{folder_key(FILES)}",
        "/sources/lab/models/fraud-model",
        "/",
    ):
        watched.goto(f"{live_server.url}{path}")
        assert (path, violations(watched)) == (path, [])
        wide = watched.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, path
