"""The process in which pickles are examined: `python -P pickle_child.py`. It imports nothing of this project.

Owns: asking picklescan and fickling. Neither loads a pickle: both read its instructions. Does not own: the
verdict (`pickle_scan`, which starts this process and ends it when it takes too long).

Reads frames from stdin: 8 bytes length (little-endian), one byte `1` if fickling is to look too, a pickle.
Writes for each a line of JSON from picklescan, and then one from fickling if asked.
"""

from __future__ import annotations

import io
import json
import logging
import resource
import sys
from typing import Any

MEMORY_BYTES = 3 << 30
CPU_SECONDS = 60
_CONFUSED = (ValueError, LookupError, AttributeError, TypeError, RecursionError)
"""What both libraries raise at instructions that make no sense to them."""


def main() -> None:
    """Examine what comes over stdin, within the limits."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable()
    answers, sys.stdout = sys.stdout, sys.stderr  # fickling prints
    while header := sys.stdin.buffer.read(9):
        content = sys.stdin.buffer.read(int.from_bytes(header[:8], "little"))
        print(json.dumps(picklescan(content)), file=answers, flush=True)
        if header[8:] == b"1":
            print(json.dumps(fickling(content)), file=answers, flush=True)


def picklescan(content: bytes) -> dict[str, Any]:
    """`globals`: module, name, and picklescan's word for each, sorted; or `error`."""
    from picklescan.scanner import scan_pickle_bytes  # type: ignore[import-untyped]

    try:
        found = scan_pickle_bytes(io.BytesIO(content), "pickle", multiple_pickles=False)
    except _CONFUSED as error:
        return {"globals": [], "error": f"{type(error).__name__}: {error}"}
    return {"globals": sorted([one.module, one.name, one.safety.value] for one in found.globals)}


def fickling(content: bytes) -> dict[str, Any]:
    """`imports`: module and name of each; `findings`: severity 0 to 5, analysis, trigger and message.

    `limited` where fickling's own limits ended it or it lacks an instruction (the floats of protocol 0),
    which says nothing about the pickle; or `error`.
    """
    try:
        return _fickling(content)
    except NotImplementedError:
        return {"imports": [], "findings": [], "limited": True}
    except _CONFUSED as error:
        return {"imports": [], "findings": [], "limited": False, "error": f"{type(error).__name__}: {error}"}


def _fickling(content: bytes) -> dict[str, Any]:
    from fickling.analysis import check_safety  # type: ignore[import-untyped]
    from fickling.fickle import Pickled  # type: ignore[import-untyped]

    pickled = Pickled.load(io.BytesIO(content), fail_on_decode_error=False)
    findings = [
        (one.severity.severity, one.analysis_name or "", one.trigger or "", str(one))
        for one in check_safety(pickled).results
    ]
    limited = pickled.has_resource_exhaustion or any(
        name == "ResourceExhaustion" for _, name, _, _ in findings
    )
    imports = sorted(
        {
            (getattr(node, "module", None) or "", alias.name)
            for node in pickled.properties.imports
            for alias in node.names
        }
    )
    return {"imports": imports, "findings": findings, "limited": limited}


if __name__ == "__main__":
    main()
