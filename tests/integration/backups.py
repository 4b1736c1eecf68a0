"""For tests of backup and restore: installations of their own, and archives taken apart and put together.

An installation is a home and a database, used by processes, because a process knows one database. `fill`
makes a log in which everything that a backup holds occurs; `picture` is what must be the same afterwards.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineage.services import backup_format
from lineage.trust.digest import sha256_hex
from lineage.trust.dsse import encode_base64
from lineage.trust.keys import PrivateKey, load_private
from tests import forks
from tests.server import migrated

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "correct horse battery"

FILL = """
import base64
import os
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from lineage.db.models import AccessRecord, Cosignature, GraphQuery, Job, JobStep, Proposal, Storage
from lineage.errors import MalformedError
from lineage.services import intake, project, publish, redact, refusals, sources, subscriptions
from lineage.services.source_values import SourceValues
from tests import factories
publish.publish_once()
who, other = factories.registered(), factories.registered()
model = factories.artifact("mod\\u00e8le \\U0001f9ec")
lines = [who.envelope(factories.provenance([model], [factories.artifact("a\\0b")]))]
lines += [who.envelope(factories.statement(factories.artifact())) for _ in range(STATEMENTS)]
intake.submit_set(lines, token="t")
publish.publish_once()
factories.revoke(other, reason="laptop stolen", compromised=True)
intake.submit_set([who.envelope(factories.provenance([factories.artifact()], [model]))], token="t")
gone = who.envelope(factories.statement(factories.artifact("of a person")))
digest = intake.submit(gone, token="t").receipt.digest
while project.project_pending():
    pass
redact.redact([digest], "it is personal", person=factories.PERSON)
publish.publish_once()
intake.submit_set([who.envelope(factories.statement(factories.artifact()))], token="t")
# More than a reader takes at a time, and not to be pressed: the test of a killed restore waits within it.
refusals.record([(os.urandom(REFUSED_BYTES), MalformedError("no envelope"))], token="t")
secret, user = factories.token("read", "attest"), factories.user("operator", PASSWORD)
EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
Authenticator.objects.create(user=user, type="totp", data={"secret": "box"})
SocialAccount.objects.create(user=user, provider="sso", uid="ab", extra_data={"iss": "https://i", "sub": "s"})
job = Job.objects.create(kind="k", queue="short", max_attempts=3, due_us=1, created_us=2, token=7,
                         arguments={"\\u00e9": [1, 2.5, None]}, result={"entry": 3}, state="done")
JobStep.objects.create(job=job, step="one", entry_index=3)
GraphQuery.objects.create(at_us=1, person="p", query="q", parameters="{}", until_us=2)
sources.add("lab", SourceValues(url="https://mlflow.example", auth="token", secret="s", paused=True), by="p")
Storage.objects.create(name="models", kind="s3", uri="s3://models", created_us=1, created_by="p")
stamp = base64.b64encode(bytes(4) + (1).to_bytes(8, "big") + bytes(64)).decode()
Cosignature.objects.create(size=1, witness="w", key_hash="00000000", at_us=1_000_000,
                           line=f"\\u2014 w {stamp}\\n".encode())
AccessRecord.objects.create(at_us=1, who="p", action="look", route="node", subject="run:a", status=200)
Proposal.objects.create(function="f", arguments="{}", payload=b"p", person="p", role="officer",
                        created_us=1, ends_us=2, state="rejected", reason="r")
subscriptions.add("webhook", "https://hooks.example/lineage", by="p")
print(json.dumps({"secret": secret, "email": user.email}))
"""
PICTURE = """
from django.db import connection
from lineage.services import backup_tables, project
from tests.replay.rows import Rows
def rows(query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return sorted(repr([bytes(v) if isinstance(v, memoryview) else v for v in row]) for row in cursor)
log = {
    name: rows(f"SELECT {columns} FROM {name}")
    for name, columns in {
        "log_head": "*", "log_envelope": "*", "log_checkpoint": "*",
        "log_entry_subject": "entry_id, position, digest, name",
        # A signer's number depends on who was written together.
        "log_entry_signer": "entry_id, (SELECT key_id FROM log_signer WHERE id = signer_id)",
        "log_signer": "key_id",
        # So does a predicate type's.
        "log_entry": '"index", received_us, policy_index, kind, envelope_digest, statement_digest, key_ids,'
        " leaf_hash, (SELECT name FROM log_predicate_type WHERE id = predicate_type_id)",
        "log_predicate_type": "name",
        "log_tile": "level, number, hashes", "log_redaction": "envelope_digest, entry_index, refused",
    }.items()
}
tables = {}
for model in backup_tables.BACKED_UP:
    names = [field.attname for field in backup_tables.fields(model)]
    values = model._default_manager.order_by("pk").values_list(*names)
    tables[model._meta.db_table] = [
        repr([bytes(v) if isinstance(v, memoryview) else v for v in row]) for row in values
    ]
while project.project_pending():
    pass
graph = Rows()
facts = {index: repr(found) for index, found in sorted(graph.facts.items())}
pieces = {node: repr(found) for node, found in sorted(graph.pieces.items())}
print(json.dumps({"log": log, "tables": tables, "facts": facts, "pieces": pieces}))
"""
_SETUP = """
import json, sys
import django; django.setup()
from lineage.services import bootstrap
"""


@dataclass(frozen=True)
class Installation:
    """`database` is a URL, empty for the home's own SQLite file."""

    home: Path
    database: str = ""

    @property
    def environment(self) -> dict[str, str]:
        found = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
        found |= {"LINEAGE_HOME": str(self.home), "DJANGO_SETTINGS_MODULE": "lineage.settings"}
        found["PYTHONPATH"] = str(CHECKOUT)
        return found | ({"LINEAGE_DATABASE_URL": self.database} if self.database else {})

    def start(self, *arguments: str) -> forks.Process | subprocess.Popen[str]:
        return forks.start(arguments, env=self.environment, cwd=self.home.parent)

    def lineage(self, *arguments: str, code: int = 0) -> Any:
        """What a command says as JSON; its errors as text where it is to fail."""
        process = self.start("-m", "lineage.cli", *arguments, "--json")
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, out + err
        return json.loads(out) if code == 0 else err

    def tables(self) -> None:
        """Make all tables where there are none, by a copy: those that come after need not take their time."""
        migrated(self.home, {"LINEAGE_DATABASE_URL": self.database} if self.database else {})

    def run(self, program: str, *, begin: bool = True) -> Any:
        """The JSON that a program prints at its end; `begin` a log where there is none."""
        self.tables()
        process = self.start("-c", _SETUP + ("bootstrap.ensure()\n" if begin else "") + program)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
        return json.loads(out.splitlines()[-1]) if out.strip() else None

    def fill(self, *, statements: int = 580, refused_bytes: int = 400_000) -> dict[str, str]:
        """A log with everything. Returns the secret of an API key, and an operator's address.

        `statements`, of two tiles and more, are of one kind; `refused_bytes` are not to be compressed.
        """
        values = {"PASSWORD": PASSWORD, "STATEMENTS": statements, "REFUSED_BYTES": refused_bytes}
        program = FILL
        for name, value in values.items():
            program = program.replace(name, repr(value))
        found: dict[str, str] = self.run(program)
        return found

    def picture(self) -> dict[str, Any]:
        """The log's rows, those of configuration, and the graph projected from the log, by keys."""
        found: dict[str, Any] = self.run(PICTURE, begin=False)
        return found


Edit = Callable[["Parts"], None]


class Parts:
    """An archive as (header, content) pairs, to be altered."""

    def __init__(self, path: Path) -> None:
        with tarfile.open(path) as archive:
            self.files = [(info, archive.extractfile(info).read()) for info in archive]  # type: ignore[union-attr]

    def place(self, name: str) -> int:
        return next(place for place, (info, _) in enumerate(self.files) if info.name == name)

    def content(self, name: str) -> bytes:
        return self.files[self.place(name)][1]

    def replace(self, name: str, content: bytes) -> None:
        self.files[self.place(name)] = (tarfile.TarInfo(name), content)

    def insert(self, place: int, info: tarfile.TarInfo, content: bytes = b"") -> None:
        self.files.insert(place, (info, content))

    def rows(self, section: str) -> list[list[Any]]:
        return [json.loads(line) for line in self.content(f"{section}-000000.ndjson").splitlines()]

    def replace_rows(self, section: str, rows: list[list[Any]]) -> None:
        lines = [json.dumps(row) + "\n" for row in rows]
        self.replace(f"{section}-000000.ndjson", "".join(lines).encode())

    def edit_json(self, name: str, **members: Any) -> None:
        self.replace(name, json.dumps(json.loads(self.content(name)) | members).encode())

    @property
    def platform(self) -> PrivateKey:
        return load_private(self.content("keys/platform.pem"))

    def resum(self) -> None:
        """Let the manifest say what is there now."""
        files = []
        for info, data in self.files[: self.place("manifest.json")]:
            count = data.count(b"\n") if info.name.endswith(".ndjson") else 0
            files.append({"name": info.name, "rows": count, "bytes": len(data), "sha256": sha256_hex(data)})
        self.edit_json("manifest.json", files=files)

    def reseal(self) -> None:
        """As whoever holds the platform's key could."""
        signature = self.platform.sign(backup_format.sealed(self.content("manifest.json")))
        self.replace("manifest.sig", encode_base64(signature).encode() + b"\n")

    def tar(self) -> bytes:
        blocks = io.BytesIO()
        for info, content in self.files:
            if info.isreg() and len(content) != info.size and info.size < 1 << 30:
                info.size = len(content)
            blocks.write(info.tobuf(tarfile.USTAR_FORMAT))
            blocks.write(content + bytes(-len(content) % 512))
        blocks.write(bytes(1024))
        return blocks.getvalue() + bytes(-len(blocks.getvalue()) % tarfile.RECORDSIZE)

    def save(self, path: Path) -> Path:
        path.write_bytes(gzip.compress(self.tar(), 1))
        return path


def truncations(data: bytes) -> Iterator[bytes]:
    """The beginning of an archive, cut at many lengths."""
    yield b""
    for share in range(1, 20):
        yield data[: len(data) * share // 20]
    yield data[:-1]
