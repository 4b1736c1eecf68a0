"""Fill an installation with attested files: `python -m tests.workers.prepare` in its environment.

A policy of checks has them read slowly, so that a worker can be met in the work without a file of gigabytes.
Prints the node key of each file under the storage root, by name, as JSON. The graph is level afterwards.
"""

from __future__ import annotations

import json
import sys

import django

django.setup()

from lineage.artifacts.hashing import hash_file  # noqa: E402
from lineage.config import current  # noqa: E402
from lineage.graph.check_policy import CheckPolicy, Limits  # noqa: E402
from lineage.predicates.inventory import Inventory, InventoryFile  # noqa: E402
from lineage.services import append, bootstrap, decide_checks, follow, intake, inventories  # noqa: E402
from tests import factories  # noqa: E402
from tests.workers.crew import LARGE_BYTES, LARGE_SECONDS, NEW_FILE  # noqa: E402


def main() -> None:
    bootstrap.ensure()
    who = factories.registered()
    (root,) = current().storage_roots
    keys = {}
    for path in sorted(root.iterdir()):
        digest = hash_file(path)
        keys[path.name] = f"sha256:{digest}"
        copy = factories.artifact(path.name, digest, downloadLocation=path.as_uri())
        intake.submit(who.envelope(factories.statement(copy)), token="tests")
        if path.name != NEW_FILE:  # what it consists of was recorded when it was checked before
            size = path.stat().st_size
            known = Inventory(size, (InventoryFile("", size, digest),))
            append.raise_first(append.append([inventories.prepare(keys[path.name], known)]))
    rate = Limits(root.as_uri(), bytes_per_second=LARGE_BYTES // LARGE_SECONDS)
    decide_checks.set_check_policy(CheckPolicy(limits=(rate,)), person=factories.PERSON)
    follow.project()
    json.dump(keys, sys.stdout)


if __name__ == "__main__":
    main()
