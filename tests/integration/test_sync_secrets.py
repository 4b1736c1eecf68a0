"""What users wrote with a secret in it: masked where it is text, kept and told of where it is an identity."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.db.models import Envelope, SourceProblem
from lineage.localservices.service import LocalService
from lineage.mlflow import masking
from lineage.predicates.folders import dir_hash
from lineage.trust import dsse
from lineage.trust.digest import sha256_hex
from tests.conftest import Api
from tests.integration.followed import Followed
from tests.mlflow_rest import Rest

SECRET, ANOTHER = "hunter2", "letmein4"
MODEL = f"api_key={SECRET}"
FILE = f"password={SECRET}.txt"
FILES = {"MLmodel": b"m", FILE: b"f"}


@pytest.fixture
def lab(graph: Callable[[], int], emptied_mlflow: LocalService) -> Followed:
    followed = Followed(Rest(emptied_mlflow.url), graph)
    followed.follow()
    return followed


def problems() -> set[tuple[str, str, str]]:
    return set(SourceProblem.objects.values_list("kind", "external_id", "slug"))


def said(secret: str) -> int:
    """How many entries have the secret in them."""
    payloads = [
        dsse.parse(bytes(each)).payload for each in Envelope.objects.values_list("content", flat=True)
    ]
    return sum(secret.encode() in payload for payload in payloads)


def test_a_secret_in_a_text_never_enters_the_log(lab: Followed, api: Api) -> None:
    rest = lab.rest
    run = rest.run(name=f"password={ANOTHER}")
    rest.param(run, "db_password", ANOTHER)
    rest.tag(run, "note", f"mysql://me:{ANOTHER}@host/db")
    rest.dataset(run, f"token={ANOTHER}", source=f"https://me:{ANOTHER}@host/x.csv")
    rest.finish(run)
    lab.sync()
    record = lab.newest("run", run).record
    assert record["params"] == {"db_password": masking.MASK}
    assert record["tags"]["note"] == f"mysql://{masking.MASK}@host/db"
    assert said(ANOTHER) == 0


def test_a_secret_in_an_identity_stays_and_is_told(
    lab: Followed, api: Api, mlflow_service: LocalService
) -> None:
    """A model is known by its name and a folder by its paths; the page says so, without the secret."""
    rest = lab.rest
    run = rest.run()
    rest.file(run, FILE, b"f")
    model = rest.model(run, FILES)
    rest.post("registered-models/create", name=MODEL)
    rest.version(MODEL, model, run)
    rest.finish(run)
    lab.sync()
    assert lab.row("registered-model", MODEL).state == "present"
    dirhash = dir_hash({path: sha256_hex(content) for path, content in FILES.items()})
    assert lab.row("logged-model-files", model).first_artifact == f"dirHash:{dirhash}"
    told = {
        ("model-name", "api_key=***", "secret-in-name"),
        ("file-name", f"run {run}", "secret-in-name"),
        ("file-name", f"logged-model {model}", "secret-in-name"),
    }
    assert told <= problems()
    assert said(SECRET)
    page = api.get("/api/v1/sources/lab").content.decode()
    assert "secret-in-name" in page
    assert SECRET not in page

    # Renamed on the server, the lines go; what was recorded stays.
    rest.post("registered-models/rename", name=MODEL, new_name="plain")
    for folder in (f"0/{run}/artifacts", f"0/models/{model}/artifacts"):
        there = Path(mlflow_service.directory) / "artifacts" / folder / FILE
        there.rename(there.with_name("plain.txt"))
    lab.sync(sweep=True)
    assert not told & problems()
    assert lab.row("registered-model", MODEL).state == "purged"
    assert said(SECRET)
