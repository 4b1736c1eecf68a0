"""Lists of nodes and entries, keys, the log, refusals, search, and the first page: what they show."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests import factories
from tests.web import installation
from tests.web.installation import Installation


def text(client: Client, path: str, **query: str) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content.decode()
    return answer.content.decode()


def rows(client: Client, path: str, **query: str) -> list[dict[str, str]]:
    answer: Any = client.get(path, {**query, "format": "csv"})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    return list(csv.DictReader(io.StringIO(b"".join(answer).decode())))


EMPTY = {
    "/models": ("No models yet", "lineage attest"),
    "/datasets": ("No datasets yet", "lineage attest"),
    "/runs": ("No runs yet", "lineage attest"),
    "/hardware": ("No machines yet", "lineage attest"),
    "/refusals": ("Nothing was refused", ""),
    "/tokens": ("No API key yet", "lineage tokens create"),
    "/keys": ("No pipeline key yet", "lineage keys register"),
    "/search": ("Type a name or digest", ""),
    "/": ("Nothing is recorded yet", "lineage attest"),
}


@pytest.mark.parametrize("path", EMPTY)
def test_an_empty_page_says_what_to_do(operator: Client, graph: Callable[[], int], path: str) -> None:
    graph()
    page = text(operator, path)
    title, command = EMPTY[path]
    assert title in page
    assert command in page


LISTED = {
    "/models": ("claims-triage", "Verified"),
    "/datasets": ("claims-2025", "Verified"),
    "/runs": ("claims-triage fine-tuning 4711", "Unverified"),
    "/hardware": ("fra2-gpu-017", "Unverified"),
}


@pytest.mark.parametrize("path", LISTED)
def test_a_list_names_things_with_their_status_as_a_word(
    installed: Installation, auditor: Client, path: str
) -> None:
    page = text(auditor, path)
    for words in LISTED[path]:
        assert words in page


def test_an_altered_copy_is_failed_and_the_artifact_without_copies_says_so(
    installed: Installation, auditor: Client
) -> None:
    statuses = {row["key"]: row for row in rows(auditor, "/datasets")}
    assert statuses[f"sha256:{installation.CLAIMS}"]["status"] == "verified"
    altered = statuses[f"sha256:{installation.GLOSSARY}"]
    assert (altered["status"], altered["reasons"].split("=")[0].split(" ")[0]) == ("failed", "copy-mismatch")
    [model] = rows(auditor, "/models")
    assert (model["status"], model["notes"]) == ("verified", "bytes-not-checked")
    assert "bytes not checked" in text(auditor, "/models")


def test_filters_narrow_a_list(installed: Installation, auditor: Client) -> None:
    everything = rows(auditor, "/datasets")
    failed = rows(auditor, "/datasets", status="failed")
    assert [row["key"] for row in failed] == [f"sha256:{installation.GLOSSARY}"]
    assert 0 < len(failed) < len(everything)
    assert [row["name"] for row in rows(auditor, "/datasets", q="claims")] == ["claims-2025.parquet"]
    tainted = len(rows(auditor, "/datasets", tainted="yes")) + len(rows(auditor, "/datasets", tainted="no"))
    assert tainted == len(everything)
    page = text(auditor, "/datasets", q="no such thing")
    assert "Nothing matches" in page
    assert 'value="no such thing"' in page


@pytest.mark.parametrize(
    "query", [{"status": "green"}, {"tainted": "maybe"}, {"q": "x" * 201}, {"after": "zzz"}]
)
def test_a_filter_that_is_none_is_told(
    installed: Installation, auditor: Client, query: dict[str, str]
) -> None:
    assert auditor.get("/models", query).status_code == 400


def test_a_long_list_comes_in_pages_that_keep_filter_and_moment(
    auditor: Client, graph: Callable[[], int]
) -> None:
    who = factories.registered()
    for number in range(53):
        installation.send(
            who, installation.dataset(f"part-{number:02}.parquet", factories.sha256(str(number)))
        )
    size = graph()
    query = {"q": "part", "as_of": str(size)}
    first = auditor.get("/datasets", query)
    assert "50 of 53 datasets" in first.content.decode()
    after = first.context["page"].next
    second = auditor.get("/datasets", {**query, "after": after})
    assert "3 of 53 datasets" in second.content.decode()
    names = [node.name for answer in (first, second) for node in answer.context["page"].nodes]
    assert sorted(names) == [f"part-{number:02}.parquet" for number in range(53)]
    assert f"q=part&amp;as_of={size}" in second.content.decode()
    assert len(rows(auditor, "/datasets", **query)) == 53


def test_a_name_is_no_formula_in_a_spreadsheet(auditor: Client, graph: Callable[[], int]) -> None:
    who = factories.registered()
    installation.send(who, installation.dataset("=HYPERLINK(1).csv", factories.sha256("evil")))
    graph()
    assert [row["name"] for row in rows(auditor, "/datasets")] == ["'=HYPERLINK(1).csv"]


def test_a_list_of_the_past_leaves_out_what_came_later(installed: Installation, auditor: Client) -> None:
    assert "No models yet" in text(auditor, "/models", as_of="5")
    assert len(rows(auditor, "/datasets", as_of="5")) == 1


def test_attestations_are_filtered_by_signer_subject_statement_and_trust(
    installed: Installation, auditor: Client
) -> None:
    assert len(rows(auditor, "/attestations")) == 13
    by_signer = rows(auditor, "/attestations", signer=installed.revoked.key_id)
    assert [(row["signers"], row["trust"]) for row in by_signer] == [("old workstation", "revoked")]
    about = rows(auditor, "/attestations", subject=f"sha256:{installation.TRIAGE}")
    assert {row["predicate_type"] for row in about} == {
        installation.TRAINING,
        installation.MODEL,
        installation.DEPLOYMENT,
    }
    runs = rows(auditor, "/attestations", predicate_type=installation.TRAINING)
    assert [row["digest"] for row in runs] == [installed.sealed]
    assert {row["kind"] for row in rows(auditor, "/attestations", trust="asserted")} == {"decision"}
    assert "Nothing matches" in text(auditor, "/attestations", signer="ab")
    assert "unknown type" not in text(auditor, "/attestations", predicate_type="https://example.com/other")


@pytest.mark.parametrize("query", [{"kind": "rumour"}, {"trust": "blind"}, {"after": "x"}])
def test_an_attestation_filter_that_is_none_is_told(
    installed: Installation, auditor: Client, query: dict[str, str]
) -> None:
    assert auditor.get("/attestations", query).status_code == 400


def test_an_entry_links_to_its_page_its_subject_and_its_key(installed: Installation, auditor: Client) -> None:
    page = text(auditor, "/attestations", as_of="12")
    assert f'href="/attestations/{installed.sealed}?as_of=12"' in page
    assert f'href="/nodes/sha256:{installation.CLAIMS}?as_of=12"' in page
    assert f'href="/keys/{installed.pipeline.key_id}?as_of=12"' in page


def test_keys_show_their_state(installed: Installation, auditor: Client) -> None:
    states = {row["name"]: (row["state"], row["signed"]) for row in rows(auditor, "/keys")}
    assert states["claims-triage pipeline"] == ("in-force", "7")
    assert states["old workstation"] == ("compromised", "1")
    page = text(auditor, "/keys")
    assert "Compromised" in page
    assert "In force" in page
    before = {row["name"]: row["state"] for row in rows(auditor, "/keys", as_of="12")}
    assert before["old workstation"] == "in-force", "the revocation came later"


def test_a_key_shows_what_it_may_say_and_what_it_said(installed: Installation, auditor: Client) -> None:
    page = text(auditor, f"/keys/{installed.revoked.key_id}")
    for words in ("Compromised", "Laptop stolen on 3 March", "--any", "scraped-forum.jsonl"):
        assert words in page
    assert auditor.get(f"/keys/{installed.revoked.key_id}", {"as_of": "3"}).status_code == 404


def test_a_key_with_scopes_shows_each(log: None, auditor: Client) -> None:
    from lineage.trust.policy import Scopes

    scopes = Scopes(
        predicate_types=(factories.SLSA_V1,),
        builders=("https://b.example",),
        subjects=("m-*",),
        kinds=("model",),
    )
    who = factories.registered(scopes, not_before_us=1)
    page = text(auditor, f"/keys/{who.key_id}")
    for words in (factories.SLSA_V1, "https://b.example", "m-*", ">model<", "1 Jan 1970", "Nothing yet"):
        assert words in page


@pytest.mark.parametrize("key", ["nonsense", "0" * 64, "sha256:" + "0" * 64])
def test_a_key_that_is_none_is_not_found(auditor: Client, key: str) -> None:
    assert auditor.get(f"/keys/{key}").status_code == 404


def test_the_log_page_shows_checkpoint_verifier_key_and_entries(
    installed: Installation, auditor: Client
) -> None:
    from lineage.services import publish

    assert "None yet" in text(auditor, "/log")
    published = publish.publish_once()
    assert published is not None
    page = text(auditor, "/log")
    for words in (publish.verifier_key(), published.root_hash, "13 of 13", "8 attestations", "5 decisions"):
        assert words in page
    assert "None: the graph has digested every entry" in page


def test_a_skipped_entry_is_listed_with_its_reason(auditor: Client, graph: Callable[[], int]) -> None:
    who = factories.registered()
    broken = factories.statement(predicate_type=installation.TRAINING, predicate={"activity": "training"})
    digest = installation.send(who, broken)
    graph()
    page = text(auditor, "/log")
    assert digest in page
    assert "1 of 1 shown" in page


def test_refusals_tell_operators_what_was_wrong(installed: Installation, operator: Client) -> None:
    page = text(operator, "/refusals")
    for words in ("signer-unknown", "injected.parquet", "1 refusal, newest first"):
        assert words in page
    assert [row["reason"] for row in rows(operator, "/refusals")] == ["signer-unknown"]
    assert "Nothing was refused" in text(operator, "/refusals", reason="malformed")
    assert operator.get("/refusals", {"after": "x"}).status_code == 400


def test_search_finds_names_digests_keys_and_envelopes(installed: Installation, auditor: Client) -> None:
    assert "claims-triage fine-tuning 4711" in text(auditor, "/search", q="4711")
    assert "claims-2025" in text(auditor, "/search", q=installation.CLAIMS)
    assert "claims-2025" in text(auditor, "/search", q=f"SHA256:{installation.CLAIMS.upper()}")
    assert installed.pipeline.key_id in text(auditor, "/search", q=installed.pipeline.key_id[:10])
    assert "old workstation" in text(auditor, "/search", q="workstation")
    assert "Training run" in text(auditor, "/search", q=installed.sealed)
    assert "Nothing found" in text(auditor, "/search", q="zzzzzz")
    assert auditor.get("/search", {"q": "x" * 501}).status_code == 400


def test_today_counts_everything_once(installed: Installation, auditor: Client) -> None:
    answer = auditor.get("/")
    today = answer.context["today"]
    assert sum(figure.count for figure in today.figures) == today.total > 0
    page = answer.content.decode()
    for words in ("Failed", "Expired", "Unverified", "Verified", "Tainted", "overlaps the four"):
        assert words in page
    assert "no comparison yet" in page


def test_today_lists_every_new_exception_once_worst_first(installed: Installation, auditor: Client) -> None:
    today = auditor.get("/").context["today"]
    statuses = [record.node.status for record in today.exceptions]
    assert len({record.node.key for record in today.exceptions}) == len(statuses) == today.exceptions_total
    assert {status: statuses.count(status) for status in set(statuses)} == {
        figure.status: figure.count
        for figure in today.figures
        if figure.status != "verified" and figure.count
    }
    assert statuses == sorted(statuses, key=["failed", "expired", "unverified"].index)
    assert {record.before for record in today.exceptions} == {""}


def test_today_shows_gaps_checks_keys_refusals_and_the_last_entries(
    installed: Installation, auditor: Client
) -> None:
    page = text(auditor, "/")
    for words in ("Last check 40 minutes ago", "nightly evaluation", "signer-unknown", "Open legal glossary"):
        assert words in page
    assert "scraped-forum.jsonl" in page


def test_today_of_the_past_is_what_was_known_then(installed: Installation, auditor: Client) -> None:
    page = text(auditor, "/", as_of="5")
    assert "No copy has been checked yet." in page
    assert "Open legal glossary" not in page
