"""The pages of one node and of one attestation, over a log and graph that real statements filled."""

from __future__ import annotations

import hashlib
import html as entities
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import Entry, Node
from lineage.services import as_of, intake, lineage, publish
from lineage.services.clock import now_us
from lineage.trust import dsse
from tests import factories
from tests.integration.projections import check, observe, send
from tests.web import installation
from tests.web.axe import violations
from tests.web.conftest import PASSWORD, sign_in
from tests.web.installation import CLAIMS, GLOSSARY, TRIAGE, Installation

MODEL = f"sha256:{TRIAGE}"


def text_of(answer: Any) -> str:
    """What a person reads: no tags, white space as single spaces."""
    assert answer.status_code == 200, answer.content[:500]
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", entities.unescape(plain))


def key_of(kind: str) -> str:
    return Node.objects.filter(kind=kind).values_list("key", flat=True)[0]


def test_a_verified_model_says_why_and_that_its_bytes_were_not_checked(
    auditor: Client, installed: Installation
) -> None:
    text = text_of(auditor.get(f"/artifacts/{MODEL}"))
    assert "Why it is verified" in text
    assert "A key that may say so signed a statement about it" in text
    assert "The bytes were not checked: no copy of it is known here" in text


def test_a_verified_model_says_that_not_all_behind_it_is(auditor: Client, installed: Installation) -> None:
    answer = auditor.get(f"/artifacts/{MODEL}")
    assert "Not all that it was made from is verified." in text_of(answer)
    counts = lineage.closure(MODEL, "ancestors", as_of.resolve(None), limit=1).counts_by_status
    assert counts is not None
    for status in ("failed", "unverified"):
        href = f'href="/models/{MODEL}/lineage?show={status}#list"'
        link = re.search(rf"<a[^>]*{re.escape(href)}.*?</a>", answer.content.decode())
        assert link is not None
        assert f"{counts[status]} {status}" in link[0]


def test_a_model_shows_neighbours_names_statements_and_both_lineages(
    auditor: Client, installed: Installation
) -> None:
    answer = auditor.get(f"/artifacts/{MODEL}")
    text, html = text_of(answer), answer.content.decode()
    assert "was made by claims-triage fine-tuning 4711" in text
    assert "was used by claims-triage production" in text
    assert re.search(r"claims-triage by claims-triage pipeline , entry \d+", text)
    assert f'href="/attestations/{installed.sealed}"' in html
    assert f'href="/models/{MODEL}/lineage"' in html
    assert f'href="/models/{MODEL}/lineage?direction=descendants"' in html


def test_a_failed_copy_shows_what_was_expected_and_what_was_found(
    auditor: Client, installed: Installation
) -> None:
    answer = auditor.get(f"/artifacts/sha256:{GLOSSARY}")
    text, html = text_of(answer), answer.content.decode()
    assert "Why it failed A check of a copy found other bytes than recorded" in text
    assert "restore it from a good one" in text
    assert "file:///srv/data/glossary.parquet" in text
    assert f'title="sha256:{factories.sha256("altered")}"' in html
    assert f'title="sha256:{GLOSSARY}"' in html


def test_a_check_by_a_revoked_key_is_shown_with_its_entry_and_not_as_a_match(
    auditor: Client, storage_root: None, graph: Callable[[], int]
) -> None:
    owner, checker = factories.registered(), factories.registered(name="borrowed checker")
    digest = factories.sha256("rules.csv")
    location = "file:///srv/data/rules.csv"
    row = {"digest": f"sha256:{digest}", "location": location, "method": "sha256", "outcome": "match"}
    row |= {"observed": f"sha256:{digest}", "at": "2026-01-01T00:00:00Z"}
    subject = {"name": "rules.csv", "digest": {"sha256": digest}, "downloadLocation": location}
    installation.send(owner, factories.statement(subject))
    checked = installation.send(
        checker, factories.statement(subject, predicate_type=installation.CHECK, predicate={"rows": [row]})
    )
    factories.revoke(checker, reason="lent to a guest")
    graph()
    answer = auditor.get(f"/artifacts/sha256:{digest}")
    text, html = text_of(answer), answer.content.decode()
    assert "Matches revoked" in text
    assert "borrowed checker" in text
    assert f'href="/attestations/{checked}"' in html
    assert "A copy has never been checked" in text


def test_a_folder_says_of_each_file_that_its_bytes_were_not_checked(
    auditor: Client, graph: Callable[[], int]
) -> None:
    name = "LICENSE"
    file = factories.sha256(name)
    folder = factories.sha256(f"{file}  {name}\n")
    pipeline = factories.registered()
    subject = {"name": "m", "digest": {"dirHash": folder}, "annotations": {"files": {name: file}}}
    installation.send(pipeline, factories.statement(subject))
    graph()
    text = text_of(auditor.get(f"/artifacts/dirHash:{folder}"))
    assert f"Verified bytes not checked {name}" in text


def test_what_has_no_digest_is_a_gap_with_the_command_that_closes_it(
    auditor: Client, installed: Installation
) -> None:
    key = Node.objects.get(key__startswith="uri:").key
    text = text_of(auditor.get(f"/artifacts/{key}"))
    assert "It is named, but no digest of its content was recorded" in text
    assert "Gaps, and what closes them" in text
    assert "lineage attest" in text


def test_a_compromised_key_taints_and_says_so(auditor: Client, installed: Installation) -> None:
    text = text_of(auditor.get(f"/artifacts/sha256:{factories.sha256('scraped-forum.jsonl')}"))
    assert "Only a key that was revoked for that time signed a statement about it" in text
    assert "Why it is tainted Only a compromised key vouches for it." in text
    assert "Mentioned, not opened" in text or "Copies and checks" in text


def test_a_run_shows_activity_times_machine_and_what_it_lacks(
    auditor: Client, installed: Installation
) -> None:
    text = text_of(auditor.get(f"/runs/{key_of('run')}"))
    assert "Activity fine-tuning" in text
    assert re.search(r"Started \d+ \w+ \d{4}", text)
    assert "An input or output has no digest" in text
    assert "ran on fra2-gpu-017" in text
    assert "used claims-2025.parquet" in text


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("hardware", "ran claims-triage fine-tuning 4711"),
        ("deployment", "used claims-triage-2.1.0.safetensors"),
        ("place", "holds fra2-gpu-017"),
    ],
)
def test_other_kinds_have_a_page_that_says_what_they_stand_beside(
    auditor: Client, installed: Installation, kind: str, says: str
) -> None:
    assert says in text_of(auditor.get(f"/nodes/{key_of(kind)}"))


def test_a_node_under_another_kinds_address_is_sent_to_its_own(
    auditor: Client, installed: Installation
) -> None:
    run, signer = key_of("run"), installed.pipeline.key_id
    for asked, own in (
        (f"/nodes/{MODEL}", f"/artifacts/{MODEL}"),
        (f"/artifacts/{run}", f"/runs/{run}"),
        (f"/runs/{MODEL}?as_of=9", f"/artifacts/{MODEL}?as_of=9"),
        (f"/nodes/key:{signer}", f"/keys/{signer}"),
        (f"/artifacts/{key_of('hardware')}", f"/nodes/{key_of('hardware')}"),
    ):
        answer = auditor.get(asked)
        assert (answer.status_code, answer["Location"]) == (302, own)
        assert auditor.get(own).status_code == 200


def test_a_page_says_that_the_same_bytes_failed_under_another_digest(
    auditor: Client, graph: Callable[[], int], storage_root: None
) -> None:
    """As long as who bound the digests is believed."""
    other, place = hashlib.sha512(b"m").hexdigest(), f"file://{installation.ROOT}/m.bin"
    binder, signer = factories.registered(), factories.registered()
    both = {"sha256": factories.sha256("m"), "sha512": other}
    send(binder, factories.statement({"name": "m", "digest": both, "downloadLocation": place}))
    send(signer, factories.statement({"name": "m", "digest": {"sha512": other}}))
    graph()
    words = "The same bytes are failed under another digest."
    assert words not in text_of(auditor.get(f"/artifacts/sha512:{other}"))
    observe(check(factories.sha256("m"), place, "mismatch", now_us()))
    graph()
    assert words in text_of(auditor.get(f"/artifacts/sha512:{other}"))
    factories.revoke(binder)
    graph()
    assert words not in text_of(auditor.get(f"/artifacts/sha512:{other}"))


def test_no_number_of_other_digests_hides_from_a_page_that_one_failed(
    auditor: Client, graph: Callable[[], int], storage_root: None
) -> None:
    """Not a step further either: the true one is bound by a third."""
    other, third, place = (
        hashlib.sha512(b"m").hexdigest(), hashlib.sha384(b"m").hexdigest(), f"file://{installation.ROOT}/m.bin",
    )  # fmt: skip
    liar, signer = factories.registered(), factories.registered()
    false = [
        {"name": "f", "digest": {"sha256": factories.sha256(f"f{n}"), "sha512": other}} for n in range(250)
    ]
    send(liar, factories.statement(*false))
    send(signer, factories.statement({"name": "m", "digest": {"sha384": third, "sha512": other}}))
    both = {"sha256": factories.sha256("m"), "sha384": third}
    send(signer, factories.statement({"name": "m", "digest": both, "downloadLocation": place}))
    observe(check(factories.sha256("m"), place, "mismatch", now_us()))
    graph()
    assert "The same bytes are failed under another digest." in text_of(
        auditor.get(f"/artifacts/sha512:{other}")
    )


def test_a_contested_origin_shows_both_runs_side_by_side(auditor: Client, graph: Callable[[], int]) -> None:
    first, second = factories.registered(name="pipeline one"), factories.registered(name="pipeline two")
    made = factories.artifact("contested.bin")
    one = installation.send(first, factories.provenance([made], invocation="run-one"))
    two = installation.send(second, factories.provenance([made], invocation="run-two"))
    graph()
    answer = auditor.get(f"/artifacts/sha256:{factories.sha256('contested.bin')}")
    text, html = text_of(answer), answer.content.decode()
    assert "Different signers name different runs as its origin" in text
    shown = html.partition('id="origins"')[2].partition("</section>")[0]
    for said in ("run-one", "run-two", "pipeline one", "pipeline two", one, two):
        assert said in shown


def test_names_and_values_of_signers_are_never_markup(auditor: Client, graph: Callable[[], int]) -> None:
    evil = '<script>alert("x")</script>\u202e'
    who = factories.registered(name="<b>bold</b>")
    digest = installation.send(who, factories.statement(factories.artifact(evil)))
    graph()
    for url in (f"/artifacts/sha256:{factories.sha256(evil)}", f"/attestations/{digest}"):
        html = auditor.get(url).content.decode()
        assert "<script>alert" not in html
        assert "<b>bold" not in html
    decoded = html.partition('<pre class="statement"')[2].partition("</pre>")[0]
    assert "\u202e" not in decoded
    assert "\\u202e" in decoded


def test_every_entry_and_every_node_has_a_page(auditor: Client, installed: Installation) -> None:
    """Decisions, refused and revoked things, keys and places too."""
    for digest in Entry.objects.values_list("envelope_digest", flat=True):
        assert auditor.get(f"/attestations/sha256:{digest}").status_code == 200
    for key in Node.objects.values_list("key", flat=True):
        assert auditor.get(f"/nodes/{key}", follow=True).status_code == 200
        for direction in ("ancestors", "descendants"):
            assert auditor.get(f"/models/{key}/lineage?direction={direction}").status_code == 200


def test_an_unknown_or_malformed_key_is_no_page(auditor: Client, installed: Installation) -> None:
    for key in (f"sha256:{'0' * 64}", "nonsense", "sha256:zz", "run:%00"):
        for page in ("artifacts", "runs", "nodes"):
            assert auditor.get(f"/{page}/{key}").status_code in (400, 404)


def test_before_it_was_known_a_node_has_no_page(auditor: Client, installed: Installation) -> None:
    assert auditor.get(f"/artifacts/{MODEL}?as_of=3").status_code == 404


def test_an_attestation_tells_who_signed_what_with_which_key(
    auditor: Client, installed: Installation
) -> None:
    answer = auditor.get(f"/attestations/{installed.sealed}")
    text, html = text_of(answer), answer.content.decode()
    assert "Training run" in text
    assert "Activity fine-tuning" in text
    assert f'href="/artifacts/{MODEL}"' in html
    assert f'href="/artifacts/sha256:{CLAIMS}"' in html
    assert "Used Open legal glossary" in text
    assert f'href="/keys/{installed.pipeline.key_id}"' in html
    assert "Allowed to say this" in text
    assert "Scope Anything" in text
    assert "lineage verify attestation-" in text
    assert '"invocationId": "runs/4711"' in text


def test_the_leaf_is_shown_line_by_line_and_the_state_with_its_checkpoint(
    auditor: Client, installed: Installation
) -> None:
    before = text_of(auditor.get(f"/attestations/{installed.sealed}"))
    assert "Integrated: durable, waiting for the next checkpoint" in before
    for line in ("lineage-entry/v1", installed.sealed, installed.pipeline.key_id):
        assert line in before
    size = publish.publish_once()
    assert size is not None
    after = text_of(auditor.get(f"/attestations/{installed.sealed}"))
    assert re.search(r"Published: the checkpoint of size \d+ covers it", after)


def test_downloads_are_the_exact_bytes_and_the_signers_key(auditor: Client, log: None) -> None:
    who = factories.registered()
    envelope = who.envelope(factories.statement())
    digest = intake.submit(envelope, token="tests").receipt.digest
    answer = auditor.get(f"/attestations/{digest}/envelope")
    assert answer.content == envelope
    assert "attachment" in answer["Content-Disposition"]
    pem = auditor.get(f"/attestations/{digest}/keys/{who.key_id}.pem")
    assert pem.content == who.private.public.pem()
    stranger = factories.registered()
    assert auditor.get(f"/attestations/{digest}/keys/{stranger.key_id}.pem").status_code == 404


def test_good_unknown_and_refuted_signatures_are_told_apart(
    auditor: Client, graph: Callable[[], int]
) -> None:
    good, other, stranger = factories.registered(name="good"), factories.registered(), factories.signer()
    payload = factories.as_payload(factories.statement())
    wrong = {**stranger.signature(payload), "keyid": other.key_id}
    envelope = factories.pack(
        payload,
        dsse.INTOTO_PAYLOAD_TYPE,
        [good.signature(payload), stranger.signature(payload), wrong],
    )
    digest = intake.submit(envelope, token="tests").receipt.digest
    graph()
    shown = text_of(auditor.get(f"/attestations/{digest}")).partition("Signatures, verified again just now")[
        2
    ]
    assert "Verified good" in shown
    assert "Unknown It names the key" in shown
    assert "Refuted" in shown


def test_a_revocation_changes_what_is_said_now_and_not_what_was_then(
    auditor: Client, graph: Callable[[], int]
) -> None:
    who = factories.registered(name="later revoked")
    digest = installation.send(who, factories.statement())
    size = graph()
    assert "What it signed then still counts" in text_of(auditor.get(f"/attestations/{digest}"))
    factories.revoke(who, reason="stolen laptop")
    graph()
    now = text_of(auditor.get(f"/attestations/{digest}"))
    assert "Not believed any more" in now
    assert "stolen laptop" in now
    assert "When it entered the log In force" in now
    then = text_of(auditor.get(f"/attestations/{digest}?as_of={size}"))
    assert "What it signed then still counts" in then


def test_an_unknown_attestation_is_not_found(auditor: Client, installed: Installation) -> None:
    assert auditor.get(f"/attestations/sha256:{'0' * 64}").status_code == 404
    assert auditor.get("/attestations/sha256:zz").status_code == 400
    assert auditor.get(f"/attestations/{installed.sealed}?as_of=2").status_code == 404


def test_strangers_see_no_detail(client: Client, installed: Installation) -> None:
    for url in (f"/artifacts/{MODEL}", f"/attestations/{installed.sealed}/envelope"):
        assert client.get(url)["Location"].startswith("/accounts/login/")


@pytest.mark.service
def test_every_detail_page_is_accessible(page: Any, live_server: Any, installed: Installation) -> None:
    sign_in(page, live_server.url, factories.user("auditor", PASSWORD).email)
    uri = Node.objects.get(key__startswith="uri:").key
    scraped = factories.sha256("scraped-forum.jsonl")
    for path in (
        f"/artifacts/{MODEL}",
        f"/artifacts/sha256:{GLOSSARY}",
        f"/artifacts/sha256:{scraped}",
        f"/artifacts/{uri}",
        f"/runs/{key_of('run')}",
        f"/nodes/{key_of('hardware')}",
        f"/nodes/{key_of('deployment')}",
        f"/attestations/{installed.sealed}",
        f"/models/{MODEL}/lineage",
        f"/models/sha256:{CLAIMS}/lineage",
    ):
        page.goto(live_server.url + path)
        assert (path, violations(page)) == (path, [])
