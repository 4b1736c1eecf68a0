"""What a web process loads before its first request: each of them has it, whatever it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import CHECKOUT

LARGE = (
    "PIL",
    "boto3",
    "botocore",
    "celery",
    "charset_normalizer",
    "django.contrib.admin.sites",
    "django.core.mail",
    "django.test",
    "fido2.server",
    "huggingface_hub",
    "jinja2",
    "jwt",
    "mlflow",
    "neo4j",
    "numpy",
    "pandas",
    "psycopg",
    "pyarrow",
    "requests",
    "sigstore",
    "sqlparse",
    "tuf",
    "unittest",
    "yaml",
)
"""What takes a megabyte or two and only some requests, or none, need; Psycopg on SQLite."""
LOADED = """
import sys
from lineage.cli import web
web.load()
print(*sorted(sys.modules))
"""
BROKER = {"DJANGO_SETTINGS_MODULE": "lineage.settings", "LINEAGE_BROKER_URL": "redis://127.0.0.1:1/0"}
WAKES = """
import sys
import lineage.cli.web
from lineage.services import wake
wake.load()
print(*sorted(sys.modules))
"""
DOCUMENT = """
import hashlib, sys
{load}
from api import documentation
print("document", len(documentation.document()), hashlib.sha256(documentation.document()).hexdigest())
"""
LATER = "from lineage.cli import web; web.load(); assert 'django.test' not in sys.modules"
AT_ONCE = "import lineage.wsgi, lineage.urls; assert 'django.test' in sys.modules"
PASSKEYS = """
import threading
from lineage import lean
from lineage.cli import web
web.load()
from allauth.mfa.webauthn.internal import auth

for name in lean.LATER["fido2.webauthn"] + ("Fido2Server", "websafe_decode"):
    assert type(getattr(auth, name)) is lean._Name, name
made = []
def make():
    about = auth.PublicKeyCredentialRpEntity(id="models.example", name="Lineage")
    made.append(auth.Fido2Server(about, verify_origin=lambda origin: True))
threads = [threading.Thread(target=make) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
from fido2 import server, webauthn
assert [type(each) for each in made] == [server.Fido2Server] * 8
assert auth.UserVerificationRequirement.REQUIRED is webauthn.UserVerificationRequirement.REQUIRED
assert auth.UserVerificationRequirement("preferred") is webauthn.UserVerificationRequirement.PREFERRED
for read in (auth.RegistrationResponse.from_dict, webauthn.RegistrationResponse.from_dict):
    try:
        read([])
    except TypeError as error:
        print(type(error).__name__)
"""


LOOPS = """
import sys
from lineage.cli import web
web.load()
import redis
assert not [name for name in sys.modules if name.startswith("redis.asyncio")]
assert type(redis.asyncio).__name__ == "_Module"
client = redis.asyncio.Redis
import redis.asyncio.observability.recorder
assert client is redis.asyncio.client.Redis is sys.modules["redis.asyncio.client"].Redis
assert redis.asyncio.observability is sys.modules["redis.asyncio.observability"]
print(client.__name__)
"""
MAIL = """
from lineage.cli import web
web.load()
from django.contrib.auth import models
from lineage.services import mail_message
import django.core.mail.backends.locmem
from django.conf import settings
settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
assert models.send_mail("subject", "text", "a@models.example", ["b@models.example"]) == 1
message, = django.core.mail.outbox
assert type(message) is django.core.mail.EmailMultiAlternatives
assert type(mail_message.EmailMessage("s", "t")) is django.core.mail.EmailMessage
print(message.subject)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    return _loaded(tmp_path_factory.mktemp("home"), {}, LOADED)


def _loaded(home: Path, settings: dict[str, str], code: str) -> set[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment | settings | {"LINEAGE_HOME": str(home)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("library", LARGE)
def test_a_web_process_starts_without_large_libraries(loaded: set[str], library: str) -> None:
    assert "rest_framework" in loaded
    assert library not in loaded


def test_what_is_loaded_later_describes_the_calls_alike(tmp_path: Path) -> None:
    """The OpenAPI document, which the REST framework writes by Django's admin and its client for tests."""
    settings = {"DJANGO_SETTINGS_MODULE": "lineage.settings"}
    at_once = _loaded(tmp_path, settings, DOCUMENT.format(load=AT_ONCE))
    assert "document" in at_once
    assert _loaded(tmp_path, settings, DOCUMENT.format(load=LATER)) == at_once


def test_what_is_loaded_later_is_the_same_for_passkeys(tmp_path: Path) -> None:
    """From several threads at once too. `tests/web/test_passkeys.py` has the ways of a real browser."""
    assert _loaded(tmp_path, {}, PASSKEYS) == {"TypeError"}


def test_what_is_loaded_later_is_the_same_for_event_loops(tmp_path: Path) -> None:
    assert _loaded(tmp_path, BROKER, LOOPS) == {"Redis"}


def test_what_is_loaded_later_is_the_same_for_messages(tmp_path: Path) -> None:
    assert _loaded(tmp_path, {}, MAIL) == {"subject"}


def test_a_web_process_has_its_parent_wake_workers(tmp_path: Path) -> None:
    found = _loaded(tmp_path, BROKER, LOADED)
    assert {"rest_framework", "redis"} <= found
    assert {"celery", "kombu", "opentelemetry", "redis.asyncio"}.isdisjoint(found)


def test_who_wakes_workers_meters_no_redis(tmp_path: Path) -> None:
    found = _loaded(tmp_path, BROKER, WAKES)
    assert {"redis", "celery"} <= found
    assert {"django.db", "opentelemetry", "yaml"}.isdisjoint(found)
