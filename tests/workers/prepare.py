"""Fill an installation with attested files: `python -m tests.workers.prepare` in its environment.

Prints the node key of each file under the storage root, by name, as JSON. The graph is level afterwards.
"""

from __future__ import annotations

import json
import sys

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from lineage.artifacts.hashing import hash_file  # noqa: E402
from lineage.config import current  # noqa: E402
from lineage.services import bootstrap, follow, intake  # noqa: E402
from tests import factories  # noqa: E402


def main() -> None:
    call_command("migrate", verbosity=0)
    bootstrap.ensure()
    who = factories.registered()
    (root,) = current().storage_roots
    keys = {}
    for path in sorted(root.iterdir()):
        digest = hash_file(path)
        keys[path.name] = f"sha256:{digest}"
        copy = factories.artifact(path.name, digest, downloadLocation=path.as_uri())
        intake.submit(who.envelope(factories.statement(copy)), token="tests")
    follow.project()
    json.dump(keys, sys.stdout)


if __name__ == "__main__":
    main()
