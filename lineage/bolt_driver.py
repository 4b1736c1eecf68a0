"""Neo4j's driver without the data frames that it can make of answers: `load()` before its first import.

Where MLflow is installed the driver would import numpy, pandas and pyarrow with it, for what nobody here asks
of it: twice its own processor time and 80 MB more in each process.
"""

from __future__ import annotations

import sys

OPTIONAL = ("numpy", "pandas", "pyarrow")


def load() -> None:
    """Import the driver. Whatever else needs one of `OPTIONAL` gets it, before or afterwards."""
    if "neo4j" in sys.modules:
        return
    absent = [name for name in OPTIONAL if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own word for "can't be imported"
    try:
        import neo4j  # noqa: F401
    finally:
        for name in absent:
            del sys.modules[name]
