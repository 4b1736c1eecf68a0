"""Settings of the tests on PostgreSQL: `pytest --ds=tests.settings_postgresql tests/integration …`.

A cluster of its own starts with this module and ends with the process. The tests' database has a locale that
sorts text as people do, so that whatever needs the order of bytes shows that it asks for it.
"""

import atexit
import os
import tempfile
from pathlib import Path

import psycopg

from lineage.localservices import postgresql
from tests.postgresql.cluster import wait_for_disk

_HOME = tempfile.TemporaryDirectory(prefix="lineage-tests-postgresql-")
CLUSTER = postgresql.start(Path(_HOME.name))
atexit.register(_HOME.cleanup)
atexit.register(CLUSTER.stop)  # runs first
wait_for_disk(CLUSTER, wanted=False)

from lineage import databases  # noqa: E402
from lineage.config import current  # noqa: E402
from tests.settings import *  # noqa: E402, F403

os.environ["LINEAGE_DATABASE_URL"] = CLUSTER.url  # tests.settings has taken away what was there
os.environ["LINEAGE_SECRET_KEY"] = current().secret_key
current.cache_clear()
DATABASES = {"default": databases.settings(current())}
DATABASES["default"]["ENGINE"] = "tests.postgresql"
DATABASES["default"]["TEST"] = {"TEMPLATE": "by_locale"}
with psycopg.connect(CLUSTER.url, autocommit=True) as connection:
    connection.execute(
        "CREATE DATABASE by_locale TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US-u-kn-true'"
    )
