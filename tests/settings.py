"""Settings of the tests: a home of their own, cheap password hashes, static files as they lie."""

import atexit
import os
import shutil
import tempfile

HOME = tempfile.mkdtemp(prefix="lineage-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ.setdefault("TESTS_TOGETHER", HOME)  # the same for the processes that share the tests
os.environ["LINEAGE_HOME"] = HOME
KEPT = {"LINEAGE_HOME", "LINEAGE_TEST_GO_CLIENTS", "LINEAGE_TEST_SERVICES", "LINEAGE_VECTORS"}
for name in list(os.environ):
    if name.startswith("LINEAGE_") and name not in KEPT:
        del os.environ[name]
os.environ["LINEAGE_PRIVATE_NETWORKS"] = "127.0.0.0/8"  # where the servers of tests are
# Most Java processes of tests end within a minute: Neo4j starts with less work without the compiler
# that pays off later, and with a garbage collector that has no threads of its own.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

from lineage.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # noqa: F405
# A file, because threads and processes of one test share it.
DATABASES["default"]["TEST"] = {"NAME": f"{HOME}/test.sqlite3"}  # noqa: F405
DATABASES["default"]["ENGINE"] = "tests.sqlite"  # noqa: F405
STATIC_ROOT.mkdir(parents=True)  # noqa: F405  # WhiteNoise warns about a folder that is not there
