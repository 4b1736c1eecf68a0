"""The Archivista API: what `witness` and `archivistactl` send, byte for byte, and what they need back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import ArchiveCollection, ArchiveGitoid, ArchiveState, ArchiveSubject, Entry
from lineage.graph.sql_query import fetch
from lineage.services import archive, archive_search, intake, withdraw
from lineage.services.archive_search import Wanted
from lineage.services.clock import now_us
from tests import factories
from tests.factories import Signer

COLLECTION = "https://witness.testifysec.com/attestation-collection/v0.1"
GIT, MATERIAL = "https://witness.dev/attestations/git/v0.1", "https://witness.dev/attestations/material/v0.1"
SHA1 = "0123456789abcdef0123456789abcdef01234567"
UNKNOWN = "ab" * 32

SEARCH = """query ($subjectDigests: [String!], $attestations: [String!], $collectionName: String!, $excludeGitoids: [String!]) {
  dsses(
    where: {
			gitoidSha256NotIn: $excludeGitoids,
			hasStatementWith: {
				hasAttestationCollectionsWith: {
					name: $collectionName,
					hasAttestationsWith: {
						typeIn: $attestations
					}
				},
				hasSubjectsWith: {
					hasSubjectDigestsWith: {
						valueIn: $subjectDigests
					}
				}
			}
		}
  ) {
    edges {
      node {
        gitoidSha256
      }
    }
  }
}"""  # noqa: E501 as Witness sends it
SUBJECTS = (
    "query($gitoid: String!) { subjects( where: { hasStatementWith:{ hasDsseWith:{ gitoidSha256: $gitoid"
    " } } } ) { edges { node{ name subjectDigests{ algorithm value } } } } }"
)
BY_DIGEST = (
    "query($algo: String!, $digest: String!) { dsses( where: { hasStatementWith: { hasSubjectsWith: {"
    " hasSubjectDigestsWith: { value: $digest, algorithm: $algo } } } } ) { edges { node { gitoidSha256"
    " statement { attestationCollections { name attestations { type } } } } } } }"
)


def collection(name: str = "build", types: Any = (GIT, MATERIAL), **digests: str) -> dict[str, Any]:
    """A Witness collection; `digests` of its one subject beside its sha256."""
    sha256 = factories.sha256(factories.fresh("product"))
    return factories.statement(
        {"name": "file:out.bin", "digest": {"sha256": sha256} | digests},
        predicate_type=COLLECTION,
        predicate={"name": name, "attestations": [{"type": each, "attestation": {}} for each in types]},
    )


def posted(signer: Signer, statement: dict[str, Any]) -> bytes:
    """An envelope as Go's encoder writes it: with a line ending."""
    return signer.envelope(statement) + b"\n"


@pytest.fixture
def archivista(log: None) -> Client:
    return Client(headers={"Authorization": f"Bearer {factories.token('attest', 'read')}"})


def upload(client: Client, data: bytes) -> str:
    answer = client.generic("POST", "/archivista/upload", data, content_type="application/json")
    assert (answer.status_code, list(answer.json())) == (200, ["gitoid"]), answer.content
    return str(answer.json()["gitoid"])


def ask(client: Client, query: str, **variables: Any) -> Any:
    body = json.dumps({"query": query, "variables": variables})
    return client.generic("POST", "/archivista/query", body, content_type="application/json")


def search(client: Client, **variables: Any) -> list[str]:
    asked: dict[str, Any] = {
        "subjectDigests": None,
        "attestations": None,
        "collectionName": "build",
        "excludeGitoids": [],
    }
    answer = ask(client, SEARCH, **(asked | variables))
    assert answer.status_code == 200, answer.content
    return [edge["node"]["gitoidSha256"] for edge in answer.json()["data"]["dsses"]["edges"]]


def forget_index() -> None:
    for table in (ArchiveGitoid, ArchiveCollection, ArchiveSubject, ArchiveState):
        table.objects.all().delete()


def digest_of(statement: dict[str, Any]) -> str:
    return str(statement["subject"][0]["digest"]["sha256"])


def test_a_gitoid_is_what_git_would_call_the_bytes() -> None:
    # git hash-object --stdin, in a repository of the format sha256
    assert archive.gitoid(b"") == "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"


def test_what_was_posted_comes_back_exactly(archivista: Client) -> None:
    data = posted(factories.registered(), collection())
    gitoid = upload(archivista, data)
    assert gitoid == archive.gitoid(data)
    assert upload(archivista, data) == gitoid
    assert Entry.objects.filter(predicate_type=COLLECTION).count() == 1
    for base in ("/archivista", "/archivista/v1"):
        answer = archivista.get(f"{base}/download/{gitoid}", headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.content) == (200, data)


def test_the_bytes_without_the_line_ending_are_others(archivista: Client) -> None:
    data = posted(factories.registered(), collection())
    first, second = upload(archivista, data), upload(archivista, data.rstrip())
    assert first != second
    assert archivista.get(f"/archivista/download/{second}").content == data.rstrip()


def test_a_refusal_is_a_sentence(archivista: Client) -> None:
    data = posted(factories.signer(), collection())
    answer = archivista.generic("POST", "/archivista/upload", data, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (422, "text/plain; charset=utf-8")
    assert answer.content.startswith(b"No registered key made any of the signatures. ")
    assert b"lineage keys register" in answer.content
    assert b"{" not in answer.content
    assert archivista.get(f"/archivista/download/{archive.gitoid(data)}").status_code == 404


def test_what_is_not_there(archivista: Client) -> None:
    for name in (UNKNOWN, "nonsense", "%00", "..%2Fupload"):
        answer = archivista.get(f"/archivista/download/{name}")
        assert answer.status_code == 404, name
    for name in ("\0", "x" * 5_000):
        assert ask(archivista, SUBJECTS, gitoid=name).json()["data"]["subjects"]["edges"] == []
    assert search(archivista, subjectDigests=["\0"], collectionName="\0") == []
    assert b"No attestation has the gitoid" in archivista.get(f"/archivista/download/{UNKNOWN}").content
    assert archivista.get("/archivista/upload/").status_code == 404  # never a redirect
    assert archivista.get("/archivista/query").status_code == 405


def test_witness_finds_by_any_digest_whatever_its_algorithm(archivista: Client) -> None:
    signer = factories.registered()
    gitoid = f"gitoid:blob:sha256:{UNKNOWN}"
    said = collection(sha1=SHA1, **{"gitoid:sha256": gitoid})
    first = upload(archivista, posted(signer, said))
    upload(archivista, posted(signer, collection("test", sha1=SHA1)))
    for value in (SHA1, gitoid, digest_of(said)):
        assert search(archivista, subjectDigests=[UNKNOWN, value]) == [first], value
    assert search(archivista, subjectDigests=[UNKNOWN]) == []
    assert search(archivista, subjectDigests=[SHA1], collectionName="deploy") == []


def test_no_filter_is_no_filter(archivista: Client) -> None:
    signer = factories.registered()
    both = [upload(archivista, posted(signer, collection(sha1=SHA1))) for _ in range(2)]
    assert search(archivista, subjectDigests=[SHA1]) == both
    assert search(archivista, subjectDigests=[SHA1], attestations=[]) == both
    assert search(archivista) == both
    assert search(archivista, subjectDigests=[SHA1], excludeGitoids=both[:1]) == both[1:]
    assert search(archivista, attestations=["https://example.com/other", MATERIAL]) == both
    assert search(archivista, attestations=["https://example.com/other"]) == []


def test_what_is_not_believed_is_not_found(archivista: Client) -> None:
    good, thief, sorry = factories.registered(), factories.registered(), factories.registered()
    kept = upload(archivista, posted(good, collection(sha1=SHA1)))
    stolen = upload(archivista, posted(thief, collection(sha1=SHA1, types=("https://evil.example/unknown",))))
    wrong = upload(archivista, posted(sorry, collection(sha1=SHA1)))
    assert search(archivista, subjectDigests=[SHA1]) == [kept, stolen, wrong]
    factories.revoke(thief, compromised=True)
    statement = Entry.objects.get(index=ArchiveGitoid.objects.get(gitoid=wrong).entry_index).statement_digest
    withdraw.withdraw(f"sha256:{statement}", "wrong", person=factories.PERSON)
    assert search(archivista, subjectDigests=[SHA1]) == [kept]
    assert ask(archivista, SUBJECTS, gitoid=stolen).json()["data"]["subjects"]["edges"] == []
    assert archivista.get(f"/archivista/download/{stolen}").status_code == 200  # the log has it


def test_a_key_revoked_later_is_believed_for_what_came_before(archivista: Client) -> None:
    signer = factories.registered()
    kept = upload(archivista, posted(signer, collection(sha1=SHA1)))
    factories.revoke(signer, now_us() + 1)
    assert search(archivista, subjectDigests=[SHA1]) == [kept]


def test_archivistactl_asks_for_subjects_and_by_digest(archivista: Client) -> None:
    signer = factories.registered()
    said = collection(sha1=SHA1)
    gitoid = upload(archivista, posted(signer, said))
    (edge,) = ask(archivista, SUBJECTS, gitoid=gitoid).json()["data"]["subjects"]["edges"]
    assert edge["node"]["name"] == "file:out.bin"
    listed = {each["algorithm"]: each["value"] for each in edge["node"]["subjectDigests"]}
    assert listed == said["subject"][0]["digest"]
    (found,) = ask(archivista, BY_DIGEST, algo="sha1", digest=SHA1).json()["data"]["dsses"]["edges"]
    assert found["node"]["statement"]["attestationCollections"] == {
        "name": "build",
        "attestations": [{"type": GIT}, {"type": MATERIAL}],
    }
    assert ask(archivista, BY_DIGEST, algo="sha256", digest=SHA1).json()["data"]["dsses"]["edges"] == []


def test_other_statements_are_found_without_a_collection(archivista: Client) -> None:
    said = factories.provenance([factories.artifact()])
    gitoid = upload(archivista, posted(factories.registered(), said))
    answer = ask(archivista, BY_DIGEST, algo="sha256", digest=digest_of(said))
    (found,) = answer.json()["data"]["dsses"]["edges"]
    assert found["node"] == {"gitoidSha256": gitoid, "statement": {"attestationCollections": None}}


def test_the_index_is_made_from_the_log_alone(archivista: Client) -> None:
    signer = factories.registered()
    gitoid = upload(archivista, posted(signer, collection(sha1=SHA1)))
    assert search(archivista, subjectDigests=[SHA1]) == [gitoid]
    size = archive.watermark()
    forget_index()
    assert search(archivista, subjectDigests=[SHA1]) == [gitoid]
    assert archive.watermark() == size


def test_an_index_far_behind_says_so_and_never_that_there_is_nothing(
    archivista: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(archivista, posted(factories.registered(), collection(sha1=SHA1)))
    monkeypatch.setattr(archive, "MAX_STEPS", 0)
    answers = [
        archivista.get(f"/archivista/download/{UNKNOWN}"),
        ask(archivista, BY_DIGEST, algo="sha1", digest=SHA1),
    ]
    for answer in answers:
        assert answer.status_code == 503
        assert b"still being made" in answer.content


BAD_QUESTIONS: dict[str, tuple[str, str]] = {
    "not GraphQL": ("{", "Syntax Error"),
    "another field": ("{ signatures { edges { node { id } } } }", "Cannot query field"),
    "the schema": ("{ __schema { types { name } } }", "introspection"),
    "a fragment": ("query { ...x } fragment x on Query { __typename }", "Fragments"),
    "too many parts": (
        "{" + " ".join(f'a{n}: dsses(where: {{gitoidSha256: "x"}}) {{ totalCount }}' for n in range(5)) + "}",
        "at most 4 parts",
    ),
    "too deep": ("{ a " * 13 + "}" * 13, "12 levels"),
    "too long": ("{ " + "a " * 2000 + "}", "more than 1000 tokens"),
    "a change": ("mutation { x }", "not"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BAD_QUESTIONS))
def test_questions_that_are_refused(archivista: Client, name: str) -> None:
    query, says = BAD_QUESTIONS[name]
    answer = ask(archivista, query)
    assert (answer.status_code, list(answer.json())) == (400, ["errors"])
    assert says in " ".join(each["message"] for each in answer.json()["errors"])


def test_a_question_for_everything_is_refused(archivista: Client) -> None:
    for where in ("{}", "{hasStatementWith: {}}", "{hasStatementWith: {hasSubjectsWith: {}}}"):
        answer = ask(archivista, f"{{ dsses(where: {where}) {{ totalCount }} }}")
        assert answer.status_code == 400
        assert "Say what is meant" in answer.json()["errors"][0]["message"]


def test_who_may(log: None) -> None:
    data = posted(factories.registered(), collection())
    reader = Client(headers={"Authorization": f"Bearer {factories.token('read')}"})
    answer = reader.generic("POST", "/archivista/upload", data, content_type="application/json")
    assert (answer.status_code, b"'attest'" in answer.content) == (403, True)
    sender = Client(headers={"Authorization": f"Bearer {factories.token('attest')}"})
    assert ask(sender, BY_DIGEST, algo="sha1", digest=SHA1).status_code == 403
    nobody = Client().generic("POST", "/archivista/upload", data, content_type="application/json")
    assert (nobody.status_code, nobody["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert b"needs an API key" in nobody.content


def test_a_follower_of_the_log_fills_it(log: None, graph: Callable[[], int]) -> None:
    from workers.embedded import Worker

    upload(
        Client(headers={"Authorization": f"Bearer {factories.token('attest')}"}),
        posted(factories.registered(), collection()),
    )
    worker = Worker(checkpoint_seconds=0)
    while not (worker.step() and worker.level):  # it rests a moment after several entries
        pass
    assert archive.watermark() == graph()


def test_nobody_keeps_an_index_that_nobody_asks(log: None, graph: Callable[[], int]) -> None:
    """Until the first call of Archivista's API, by whichever of its three."""
    signer = factories.registered()
    data = posted(signer, collection(sha1=SHA1))
    intake.submit(data, token="ci")
    graph()
    assert (archive.step(), archive.watermark()) == (0, None)
    client = Client(headers={"Authorization": f"Bearer {factories.token('attest', 'read')}"})
    assert search(client, subjectDigests=[SHA1]) == [archive.gitoid(data)]
    forget_index()
    assert client.get(f"/archivista/download/{UNKNOWN}").status_code == 404
    assert archive.watermark() == graph()
    forget_index()
    upload(client, posted(signer, collection(sha1=SHA1)))
    assert archive.watermark() == 0


def test_searches_go_by_their_indexes(log: None) -> None:
    """On SQLite; the statistics of a large table are not needed for any of them."""
    from django.db import connection

    if connection.vendor != "sqlite":
        pytest.skip("the plans are SQLite's")
    for wanted, index in (
        (Wanted(gitoids=[UNKNOWN]), "archive_gitoid"),
        (Wanted(collection="build"), "archive_collection_name"),
        (Wanted(collection="build", values=[SHA1]), "archive_subject_value"),
        (Wanted(digest=f"sha1:{SHA1}"), "log_entry_subject_digest"),
    ):
        query, params = archive_search._query(wanted)
        steps = [str(row[3]) for row in fetch(f"EXPLAIN QUERY PLAN {query}", params)]
        assert any(index in step and step.startswith("SEARCH") for step in steps), steps
        assert not [step for step in steps if step.startswith(("SCAN g", "SCAN c", "SCAN s"))], steps
