"""Re-verification beside the bare rates of the same machine: hashing, opening, loading, picking, recording.

What needs a database runs in a process of its own (`checks_job`), so that memory is of checking alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from blake3 import blake3

from lineage.artifacts import content
from lineage.artifacts.content import SHARD_BYTES
from lineage.artifacts.reading import CHUNK_BYTES, LocalBytes
from lineage.artifacts.storage import Access, Item, Storage, by_kind
from lineage.localservices import postgresql
from tests.moto_server import REGION, Moto
from tests.web_servers import WebFolder

if TYPE_CHECKING:
    from tests.bench.__main__ import Table

SHARDS = 6
SMALL_FILES, SMALL_BYTES = 100_000, 16 << 10
OBJECT_BYTES = 128 << 20
SWEEPS, COPIES = 8, 1_000_000
ROUNDS = 3
"""Ours and the bare rate take turns; the median of each counts."""
Rates = dict[str, tuple[float, float]]
"""By name of the way: so much a second, and a second of this process's CPU."""
BUCKET = "bench"
LOOPBACK = ("127.0.0.0/8",)
CORES = os.cpu_count() or 1


def measure(table: Table, scale: float) -> None:
    home = Path(tempfile.mkdtemp(prefix="lineage-bench-checks-"))
    home.chmod(0o711)  # PostgreSQL runs as another user below it where this one is root
    try:
        _large(table, _cached(home / "large", max(2, round(SHARDS * min(1.0, scale))) * SHARD_BYTES))
        _small(table, home / "small", max(1_000, int(SMALL_FILES * scale)))
        size = max(64 << 20, int(OBJECT_BYTES * min(1.0, scale)))
        _s3(table, home / "s3", size)
        _http(table, home / "web", size)
        _database(table, home / "sqlite", "SQLite", scale, {})
        server = postgresql.start(home / "postgresql")
        try:
            _database(table, home / "pg", "PostgreSQL", scale, {"LINEAGE_DATABASE_URL": server.url})
        finally:
            server.stop()
    finally:
        shutil.rmtree(home)


def _cached(path: Path, size: int) -> Path:
    block = os.urandom(CHUNK_BYTES)
    with path.open("wb") as file:
        for _ in range(0, size, CHUNK_BYTES):
            file.write(block)
    return path


def _rates(amount: float, **ways: Callable[[], object]) -> Rates:
    """`amount` a second of each way, which take turns; medians."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    used: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begin, cpu = time.perf_counter(), time.process_time()
            way()
            seconds[name].append(time.perf_counter() - begin)
            used[name].append(time.process_time() - cpu)
    median = statistics.median
    return {name: (amount / median(seconds[name]), amount / median(used[name])) for name in ways}


def _compare(table: Table, name: str, rates: Rates, unit: str) -> None:
    """`bare` as it is, each other way also as a share of it, which other load on the machine shifts less."""
    bare, by_cpu = rates.pop("bare")
    table.add(f"{name}: bare", bare, unit, f"{by_cpu:,.0f} a second of CPU")
    for way, (rate, each) in rates.items():
        note = f"{rate / bare:.0%} of bare; {each:,.0f} a second of CPU, {each / by_cpu:.0%} of bare"
        table.add(f"  {way.replace('_', ' ')}", rate, unit, note)


# One large file


def _large(table: Table, path: Path) -> None:
    size = path.stat().st_size
    for workers, title in ((1, "one core"), (CORES, "all cores")):
        both = partial(_at_once, workers)
        rates = _rates(
            workers * size / 1e6,
            bare=partial(both, partial(_bare_sha256, path)),
            as_the_job_does=partial(both, partial(_read, path, inside=False)),
            the_first_time_with_BLAKE3=partial(both, partial(_read, path, inside=True)),
        )
        _compare(table, f"checks: SHA-256 of a cached file of {size >> 20} MiB, {title}", rates, "MB/s")
    numbers = range(size // SHARD_BYTES)
    shards = partial(content.read_shards, partial(LocalBytes, bytes(path)), size, numbers)
    rates = _rates(size / 1e6, bare=partial(_bare_blake3, path), in_shards=partial(shards, CORES))
    _compare(table, "checks: BLAKE3 of that file, all cores", rates, "MB/s")


def _at_once(workers: int, do: Callable[[], object]) -> None:
    """As many times as `workers`, each in a thread as the job's."""
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(do) for _ in range(workers)]:
            done.result()


def _bare_sha256(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        hashlib.file_digest(file, "sha256")


def _bare_blake3(path: Path) -> None:
    blake3(max_threads=blake3.AUTO).update_mmap(path)


def _read(path: Path, *, inside: bool) -> None:
    with closing(LocalBytes(bytes(path))) as source:
        content.read(source, "sha256", inside=inside)


# Many small files


def _small(table: Table, root: Path, count: int) -> None:
    block = os.urandom(SMALL_BYTES)
    for number in range(count):
        path = root / f"{number // 1000:03}" / f"{number % 1000:03}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(block)
    storage = by_kind("file").open(Access("file", root.as_uri(), root=str(root)))
    items = storage.items(root.as_uri())
    halves = [items[start::CORES] for start in range(CORES)]
    rates = _rates(
        count,
        bare=lambda: _bare_files(items),
        as_the_job_does=lambda: _files(storage, items),
        in_a_thread_a_core=lambda: _at_once_each(partial(_files, storage), halves),
        the_first_time_with_BLAKE3=lambda: _files(storage, items, inside=True),
        listed=lambda: storage.items(root.as_uri()),
    )
    _compare(table, f"checks: {count:,} files of 16 KiB, SHA-256, one thread", rates, "files/s")
    shutil.rmtree(root)


def _at_once_each(do: Callable[[Sequence[Item]], object], parts: Iterable[Sequence[Item]]) -> None:
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(do, parts))


def _bare_files(items: Sequence[Item]) -> None:
    buffer = memoryview(bytearray(CHUNK_BYTES))
    for item in items:
        descriptor = os.open(item.opened, os.O_RDONLY)
        digest = hashlib.sha256()
        while count := os.readv(descriptor, [buffer]):
            digest.update(buffer[:count])
        digest.hexdigest()
        os.close(descriptor)


def _files(storage: Storage, items: Sequence[Item], *, inside: bool = False) -> None:
    for item in items:
        with closing(storage.open(item)) as source:
            content.read(source, "sha256", inside=inside)


# Over the network, read and not hashed


def _s3(table: Table, home: Path, size: int) -> None:
    home.mkdir()
    moto = Moto(home)
    moto.start()
    try:
        client = moto.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        client.put_object(Bucket=BUCKET, Key="object", Body=os.urandom(size))
        access = Access(
            "s3", f"s3://{BUCKET}", moto.url, REGION, "test", "test", private_networks=LOOPBACK,
            insecure_http=True,
        )  # fmt: skip

        def bare() -> None:
            body = client.get_object(Bucket=BUCKET, Key="object")["Body"]
            while body.read(CHUNK_BYTES):
                pass

        with by_kind("s3").open(access) as storage:
            ours = partial(_whole, storage, f"s3://{BUCKET}/object")
            _compare(
                table, "checks: S3, botocore", _rates(size / 1e6, bare=bare, through_storage=ours), "MB/s"
            )
    finally:
        moto.stop()


def _http(table: Table, home: Path, size: int) -> None:
    home.mkdir()
    server = WebFolder(home)
    server.start()
    try:
        server.put("object", os.urandom(size))
        address = f"{server.url}/data"
        access = Access("http", address, private_networks=LOOPBACK, insecure_http=True)
        pool = urllib3.PoolManager(retries=False)

        def bare() -> None:
            answer = pool.request("GET", f"{address}/object", preload_content=False)
            while answer.read(CHUNK_BYTES):
                pass
            answer.release_conn()

        with by_kind("http").open(access) as storage:
            ours = partial(_whole, storage, f"{address}/object")
            _compare(
                table, "checks: HTTP, urllib3", _rates(size / 1e6, bare=bare, through_storage=ours), "MB/s"
            )
    finally:
        server.stop()


def _whole(storage: Storage, location: str) -> None:
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with closing(storage.open(storage.item(location))) as source:
        while source.readinto(buffer):
            pass
        source.finish()


# With a database


def _database(table: Table, home: Path, vendor: str, scale: float, settings: dict[str, str]) -> None:
    home.mkdir()
    found = _job(home, "sweep", max(2, round(SWEEPS * min(1.0, scale))), settings)
    name = f"checks, {vendor}"
    table.add(f"{name}: a sweep of 1,000 rows signed and logged", found["logged"] * 1e3, "ms")
    table.add("  … and projected", found["projected"] * 1e3, "ms", f"{found['cpu'] * 1e3:.0f} ms of CPU")
    for when in ("first", "again"):
        rate, cpu = found["rows"] / found[f"{when}_seconds"], found[f"{when}_cpu"] / found["rows"]
        note = f"{found['rows']:,} rows in one job, {cpu * 1e6:.0f} µs of CPU each"
        table.add(f"  small files read, signed and logged, {when}", rate, "rows/s", note)
    table.add(
        "  memory at the first and last sweep",
        found["memory_first"],
        "MB",
        f"{found['memory_last']:.1f} MB at the end",
    )
    picked = _job(home, "pick", max(20_000, int(COPIES * scale)), settings)
    table.add(
        f"{name}: picking 1,000 due of {picked['copies']:,} copies",
        picked["seconds"] * 1e3,
        "ms",
        f"asking whether any is due {picked['asked'] * 1e3:.1f} ms",
    )


def _job(home: Path, what: str, count: int, settings: dict[str, str]) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    environment |= {
        "LINEAGE_HOME": str(home),
        "LINEAGE_STORAGE_ROOTS": str(home / "files"),
        "LINEAGE_LOG_LEVEL": "warning",
        "DJANGO_SETTINGS_MODULE": "lineage.settings",
        **settings,
    }
    command = [sys.executable, "-m", "tests.bench.checks_job", what, str(count)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
