"""Whether a web process's memory stays flat: `python -m tests.bench.log_million [--postgresql] [STATEMENTS]`.

A fresh server takes a million statements in sets. They are signed by two processes beforehand, a part at a
time, into files that are read as they are sent and removed then, so neither this process nor the disk holds
all of them. The graph is not waited for. It is no part of `make bench`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path

from lineage.trust.keys import PrivateKey
from tests.bench import load
from tests.bench.installation import Installation, fresh
from tests.bench.sending import NDJSON, SET_LINES, cpu_seconds

SENDERS = 2
STATEMENT_BYTES = 2000
PART = 100_000
"""Statements signed, and sent, between two looks at the memory."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("statements", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--postgresql", action="store_true", help="and Redis, with two web processes")
    given = parser.parse_args()
    part = min(PART, given.statements)
    with (
        fresh(("DATABASE", "BROKER") if given.postgresql else ()) as at,
        tempfile.TemporaryDirectory(prefix="lineage-bench-signed-") as folder,
    ):
        _say(at, 0, "")
        for sent in range(part, given.statements + 1, part):
            files = _signed(at.key, part // SENDERS, Path(folder))
            before, begin = cpu_seconds(at.web_pids), time.perf_counter()
            _send(at, files)
            seconds = time.perf_counter() - begin
            cpu = (cpu_seconds(at.web_pids) - before) / part
            _say(at, sent, f"{part / seconds:7,.0f} a second, {cpu * 1e6:4.0f} µs web CPU each")
        print(f"the log has {at.probe.ask('SELECT size FROM log_head'):,} entries")


def _signed(key: PrivateKey, count: int, folder: Path) -> list[Path]:
    """Files of so many envelopes each, a line each."""
    files = [folder / f"{number}.ndjson" for number in range(SENDERS)]
    fork = multiprocessing.get_context("fork")
    signers = [fork.Process(target=_sign, args=(key, count, file)) for file in files]
    for signer in signers:
        signer.start()
    for signer in signers:
        signer.join()
        if signer.exitcode:
            raise RuntimeError(f"a process that signs ended with {signer.exitcode}")
    return files


def _sign(key: PrivateKey, count: int, file: Path) -> None:
    with file.open("wb") as out:
        for first in range(0, count, SET_LINES):
            lines = load.envelopes(key, min(SET_LINES, count - first), size=STATEMENT_BYTES)
            out.writelines(line + b"\n" for line in lines)


def _send(at: Installation, files: list[Path]) -> None:
    done: list[Path] = []

    def work(file: Path) -> None:
        connection = load.Connection(at.port, at.token)
        with file.open("rb") as lines:
            while body := b"".join(islice(lines, SET_LINES)):
                connection.request("POST", "/api/v1/attestations", body, NDJSON, (200,))
        file.unlink()
        done.append(file)

    threads = [threading.Thread(target=work, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(done) != len(files):
        raise RuntimeError("some sets were not taken; see above")


def _say(at: Installation, sent: int, more: str) -> None:
    own = " ".join(f"{_own_mb(pid):6.1f}" for pid in at.web_pids)
    print(f"{sent:9,} statements: {own} MB of the web processes' own  {more}", flush=True)


def _own_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1e3


if __name__ == "__main__":
    main()
