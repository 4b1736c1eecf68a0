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


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    home: Path = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADED],
        env=environment | {"LINEAGE_HOME": str(home)},
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
