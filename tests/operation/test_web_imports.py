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
    "huggingface_hub",
    "jinja2",
    "mlflow",
    "neo4j",
    "numpy",
    "pandas",
    "psycopg",
    "pyarrow",
    "sigstore",
    "tuf",
    "yaml",
)
"""Libraries of a megabyte and more that only some requests, or none, need; Psycopg on SQLite."""
LOADED = """
import sys
import lineage.cli.web
from lineage.wsgi import application
from django.urls import get_resolver
assert get_resolver().url_patterns
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


WAKES = "from lineage.services import wake\nwake.load()\n"


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


def test_who_wakes_workers_meters_no_redis(tmp_path: Path) -> None:
    before, told = LOADED.split("print", 1)
    settings = {
        "DJANGO_SETTINGS_MODULE": "lineage.settings",
        "LINEAGE_BROKER_URL": "redis://127.0.0.1:1/0",
    }
    found = _loaded(tmp_path, settings, f"{before}{WAKES}print{told}")
    assert {"redis", "celery"} <= found
    assert "opentelemetry" not in found
