"""Files that a server fails for, in a storage that is there; and one that goes meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lineage import config
from lineage.artifacts.storage import web
from lineage.db.models import Check, Copy, Storage, StorageState
from lineage.graph.check_policy import CheckPolicy, Limits
from lineage.services import check_sweep, check_unreached, decide_checks, reverify, storage_access
from lineage.services.clock import now_us
from tests.hostile_http import LAST, Hostile, answer, hostile
from tests.workers.copies import Copies, copies_in

NAME = "models"
GOOD, BAD = 10, 4


class Files:
    """A web server of `GOOD` files that it gives, and `BAD` of which it says `status`.

    While `away` it says 503 of everything. `reached`: how often its root was asked for and answered;
    `before` is called before each answer about a file, with its name.
    """

    def __init__(self) -> None:
        self.status = "401 Unauthorized"
        self.away = False
        self.reached = 0
        self.before: Callable[[str], object] = lambda _name: None

    def __call__(self, _number: int, request: bytes) -> bytes:
        method, path, _ = request.split(b" ", 2)
        name = path.rpartition(b"/")[2].decode()
        if name:
            self.before(name)
        if self.away:
            return answer(b"", "503 Away")
        if not name:
            self.reached += 1
            return answer(b"")
        if name.startswith("bad"):
            return answer(b"", self.status)
        body = name.encode()
        if method == b"HEAD":
            return answer(b"", "200 OK", 'ETag: "1"', LAST.decode().strip(), length=len(body))
        return answer(body, "200 OK", 'ETag: "1"')


def names() -> list[str]:
    return [f"bad{number}" for number in range(BAD)] + [f"good{number}" for number in range(GOOD)]


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def server(files: Files) -> Iterator[Hostile]:
    with hostile(files) as made:
        yield made


@pytest.fixture
def copies(
    tmp_path: Path, server: Hostile, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> Copies:
    """All of those files as copies, two looked at a time, the bad ones first."""
    made = copies_in(tmp_path / "storage", graph, monkeypatch)
    settings = replace(config.current(), private_networks=("127.0.0.0/8",))
    monkeypatch.setattr(storage_access, "current", lambda: settings)
    monkeypatch.setattr(web, "BACKOFF_SECONDS", 0.0)
    uri = f"{server.url}/data"
    Storage.objects.create(name=NAME, kind="http", uri=uri, created_us=1, created_by="tests")
    two = CheckPolicy(limits=(Limits(uri, concurrency=2),))
    decide_checks.set_check_policy(two, person="officer@example.com")
    for due_us, name in enumerate(names()):
        digest = {"sha256": hashlib.sha256(name.encode()).hexdigest()}
        made.state(Path(name), digest, location=f"{uri}/{name}")
        Copy.objects.filter(location=f"{uri}/{name}").update(due_us=due_us)
    return made


def counted(match: int = 0, inconclusive: int = 0) -> dict[str, int]:
    return {"checked": match + inconclusive, "match": match, "mismatch": 0, "inconclusive": inconclusive}


def due() -> list[str]:
    return [key for key, _ in reverify.due(now_us())]


@pytest.mark.parametrize("status", ["401 Unauthorized", "502 Bad", "503 Away", "504 Late"])
def test_a_few_files_that_the_server_fails_for_keep_no_other_from_being_checked(
    copies: Copies, files: Files, status: str
) -> None:
    files.status = status
    assert copies.run(reverify.STORAGE + NAME) == counted(GOOD, BAD)
    state = StorageState.objects.get()
    assert (state.storage, state.gone_us, state.failures) == (NAME, 0, 0)
    assert due() == [], "they are put off, as all that could not be checked"
    reasons = set(Check.objects.filter(outcome="inconclusive").values_list("reason", flat=True))
    assert len(reasons) == 1
    assert reasons.pop().startswith("The storage can be reached, and this could not be read: The server ")


def test_a_file_that_never_comes_is_put_off_too(
    copies: Copies, files: Files, server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "READ_SECONDS", 0.5)
    files.before = lambda name: name.startswith("bad") and server.released.wait()
    assert copies.run(reverify.STORAGE + NAME) == counted(GOOD, BAD)
    assert "did not answer in time" in Check.objects.filter(outcome="inconclusive")[0].reason


def test_the_storage_is_not_asked_for_each_file(
    copies: Copies, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once before all, at the first that fails, and once after the last."""
    monkeypatch.setattr(check_unreached, "PROBE_SECONDS", 3600.0)
    assert copies.run(reverify.STORAGE + NAME) == counted(GOOD, BAD)
    assert files.reached == 3


def test_of_what_failed_after_the_storage_was_reached_last_nothing_is_said_where_it_went(
    copies: Copies, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes once it was reached after the first file that failed, and the sweep ends with a question."""
    monkeypatch.setattr(check_unreached, "PROBE_SECONDS", 3600.0)
    monkeypatch.setattr(check_sweep, "MAX_WORKERS", 1)

    def goes(_name: str) -> None:
        files.away = files.reached >= 2

    files.before = goes
    first = copies.run(reverify.STORAGE + NAME)
    assert first["gone"] == {NAME: "The server fails (HTTP 503)."}
    assert StorageState.objects.get().failures == 1
    assert 1 <= first["inconclusive"] <= BAD
    assert first["checked"] == Check.objects.count() < GOOD + BAD
    files.away, files.before = False, lambda _name: None
    rest = counted(GOOD - first["match"], BAD - first["inconclusive"])
    assert copies.run(reverify.STORAGE + NAME) == rest


@pytest.mark.parametrize("key", ["all", reverify.STORAGE + "bucket"])
def test_a_storage_whose_answer_is_none_is_gone_and_keeps_no_other_from_being_checked(
    copies: Copies, key: str
) -> None:
    """As where a gateway's page comes instead of a bucket's listing. By name it is the first."""
    with hostile(lambda _number, _request: answer(b"<html>Sign in")) as gateway:
        Storage.objects.create(
            name="bucket", kind="s3", uri="s3://bucket/m", endpoint=gateway.url, insecure_http=True,
            created_us=1, created_by="tests",
        )  # fmt: skip
        copies.state(Path("m"), {"sha256": "0" * 64}, location="s3://bucket/m/m")
        result = copies.run(key)
        why = storage_access.probe("bucket")
    assert "is not the XML" in why
    assert (result["gone"], result["checked"]) == ({"bucket": why}, GOOD + BAD if key == "all" else 0)
    state = StorageState.objects.get(storage="bucket")
    assert (state.gone_us > 0, state.failures, state.error) == (True, 2, why)
    assert reverify.STORAGE + "bucket" not in due(), "it is not asked again at once"
