"""Whether a web process's memory stays flat: `python -m tests.bench.log_million [--postgresql] [STATEMENTS]`.

A fresh server takes a million statements in sets. They are signed by two processes beforehand, a part at a
time, into files that are read as they are sent and removed then, so neither this process nor the disk holds
all of them. The graph is not waited for. It is no part of `make bench`. It ends with 1 where a process has
more than FLAT_MB more at the end than it had after the first tenth.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path

from lineage.memory import GIVE_BACK_SECONDS
from lineage.trust.keys import PrivateKey
from tests.bench import load
from tests.bench.installation import Installation, fresh
from tests.bench.sending import NDJSON, SET_LINES, cpu_seconds

SENDERS = 2
STATEMENT_BYTES = 2000
SIZE = "SELECT size FROM log_head"
PART = 50_000
"""Statements signed, and sent, between two looks at the memory."""
FLAT_MB = 10
"""What a process may have more of at the end: what is given back, and in which pieces, differs by some MB."""


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
        print("MB of the web processes' own: right after a part, and once what was freed is given back")
        print(f"{0:9,} statements: {_text(_own_mb(at))} MB", flush=True)
        size = at.probe.ask(SIZE)
        begin, rested = time.perf_counter(), []
        for sent in range(part, given.statements + 1, part):
            print(_sent(at, part, Path(folder)), end=" ", flush=True)
            after = _own_mb(at)
            time.sleep(GIVE_BACK_SECONDS + 1)
            rested.append(_own_mb(at))
            left = (time.perf_counter() - begin) * (given.statements / sent - 1)
            print(f"{sent:9,} statements: {_text(after)} MB, then {_text(rested[-1])} MB; "
                  f"{left / 60:.0f} minutes left", flush=True)  # fmt: skip
        if (more := at.probe.ask(SIZE) - size) != sent:
            raise RuntimeError(f"{sent:,} statements were sent, and the log has {more:,} more")
    settled = rested[(len(rested) - 1) // 10]
    grown = [last - first for first, last in zip(settled, rested[-1], strict=True)]
    print(f"since the first tenth: {_text(grown)} MB more")
    sys.exit(int(max(grown) > FLAT_MB))


def _sent(at: Installation, part: int, folder: Path) -> str:
    """Sign and send so many; what that took."""
    files = _signed(at.key, part // SENDERS, folder)
    before, begin = cpu_seconds(at.web_pids), time.perf_counter()
    _send(at, files)
    seconds = time.perf_counter() - begin
    cpu = (cpu_seconds(at.web_pids) - before) / part
    return f"{part / seconds:7,.0f} a second, {cpu * 1e6:4.0f} µs web CPU each"


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


def _own_mb(at: Installation) -> list[float]:
    return [_anonymous(pid) / 1e3 for pid in at.web_pids]


def _anonymous(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def _text(each: list[float]) -> str:
    return " ".join(f"{mb:6.1f}" for mb in each)


if __name__ == "__main__":
    main()
