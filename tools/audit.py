"""Known vulnerabilities of the locked requirements, asked of the vulnerability service by pip-audit.

Exit 0: none is known, or the service can't be asked, which is then said; 1: some are known, or the lock can't
be read. A check that could not be made is no finding, and no all-clear either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LOCKS = ("requirements/server.txt", "requirements/test.txt", "requirements/build.txt")
SECONDS = 120
UNREACHABLE = (
    "ConnectionError", "ServiceError", "ConnectTimeout", "ReadTimeout", "SSLError", "ProxyError",
    "MaxRetryError", "Connection refused", "Name or service not known",
    "Temporary failure in name resolution",
)  # fmt: skip
"""Words by which pip-audit says that it could not ask. Anything else that goes wrong is a failure."""


def command(locks: Sequence[str]) -> list[str]:
    """Nothing is installed or resolved: the lock names every version."""
    files = [word for lock in locks for word in ("--requirement", lock)]
    return [
        sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off",
        "--timeout", "15", "--format", "json", *files,
    ]  # fmt: skip


def judge(code: int, found: str, said: str) -> tuple[int, str]:
    """Exit code and words for what pip-audit answered (exit code, stdout, stderr)."""
    try:
        packages = json.loads(found)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = [line for line in said.splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else f"pip-audit ended with {code} and said nothing"
        if any(word in said for word in UNREACHABLE):
            return 0, f"audit of the requirements: SKIPPED, nothing is known either way: {reason[:300]}"
        return 1, f"audit of the requirements: failed: {reason[:300]}"
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    bad = [
        f"  {each['name']} {each['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or '-'}"
        for each in packages
        for one in each.get("vulns", ())
    ]
    if bad:
        return 1, "\n".join(["audit of the requirements: known vulnerabilities", *bad])
    asked = len(packages) - len(unknown)
    if not asked:
        # What a proxy of the registry answers that has no vulnerability service behind it.
        return 0, "audit of the requirements: SKIPPED, nothing is known either way: no package is known there"
    if code:
        return 1, f"audit of the requirements: failed: pip-audit ended with {code}"
    rest = f"; not known there: {', '.join(unknown)}" if unknown else ""
    return 0, f"audit of the requirements: {asked} packages, nothing known against them{rest}"


def main() -> int:
    folder = Path(__file__).resolve().parent.parent
    try:
        done = subprocess.run(  # noqa: S603 our own words
            command(LOCKS), cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        sys.stdout.write(f"audit of the requirements: SKIPPED, no answer within {SECONDS} seconds\n")
        return 0
    code, words = judge(done.returncode, done.stdout, done.stderr)
    sys.stdout.write(f"{words}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
