"""Sign what a script used and made, where there is no MLflow.

    from lineage.client.recording import record_run

    with record_run(key="training.pem", name="churn") as run:
        run.used("train.parquet", role="dataset")
        model.save("model.safetensors")
        run.made("model.safetensors", role="model")

Owns: one run from its start to its statement. Does not own: the statement's form (`run_statement`), sending
(`delivery`).
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lineage.client.delivery import EXIT_SECONDS, Delivery, destination
from lineage.client.facts import Facts
from lineage.client.keyfiles import read_private_key
from lineage.client.run_statement import RunFacts, identity_of, now, run_statement
from lineage.client.told import Told
from lineage.errors import ConfigurationError, LineageError
from lineage.trust import canonical, dsse
from lineage.trust.keys import PrivateKey

log = logging.getLogger(__name__)

FAIL_CLOSED_SECONDS = 60.0
"""How long a run that must not go unrecorded waits for its receipt."""


class RecordedRun(Told):
    """A run that is going on. Fill `parameters` and `metrics` with JSON values; both are only shown."""

    def __init__(self, name: str, invocation: str, *, strict: bool) -> None:
        super().__init__(strict=strict)
        self.name = name
        self.invocation = invocation
        self.parameters: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}


@contextmanager
def record_run(
    *,
    name: str,
    key: PrivateKey | str | os.PathLike[str] | None = None,
    builder: str = "",
    invocation: str = "",
    activity: str = "training",
    url: str | None = None,
    token: str | None = None,
    hardware: str = "",
    spool: str | os.PathLike[str] | None = None,
    fail_closed: bool = False,
) -> Iterator[RecordedRun]:
    """Record a run until the block ends, then sign and send it. An exception ends it as FAILED, and passes.

    Whatever of this fails is one warning in the log, and what can't be sent waits on disk. With `fail_closed`
    the block raises a LineageError instead where the server has not got the statement at its end.

    Arguments:
        key: private key (PEM file); default `LINEAGE_KEY`.
        builder: URI of the pipeline, for which the key is registered; default `LINEAGE_BUILDER`, else
            `urn:lineage:recording:<name>`.
        invocation: what this run is called; default a random one.
        hardware: `hw:<hex>` of the machine's identity, where it has one; default `LINEAGE_HARDWARE`.
        spool: folder for what waits; default as in `spool.default_folder`.
    """
    run = RecordedRun(name, invocation or uuid.uuid4().hex, strict=fail_closed)
    facts, started, status = Facts(), now(), "FINISHED"
    signer, delivery = _prepared(key, url, token, spool, fail_closed)
    try:
        yield run
    except BaseException:
        status = "FAILED"
        raise
    finally:
        if signer is not None and delivery is not None:
            told = RunFacts(
                builder=builder
                or os.environ.get("LINEAGE_BUILDER")
                or f"urn:lineage:recording:{quote(name)}",
                invocation=run.invocation,
                name=name,
                activity=activity,
                status=status,
                started=started,
                finished=now(),
                record={},
                hardware=identity_of(hardware or os.environ.get("LINEAGE_HARDWARE", "")),
                parameters=run.parameters,
                metrics=run.metrics,
            )
            try:
                _finish(run, told, facts, signer, delivery, fail_closed)
            except (LineageError, OSError, TypeError, ValueError) as error:
                if fail_closed and status == "FINISHED":
                    raise
                log.warning("The run %s was not signed: %s", name, error)


def _prepared(
    key: PrivateKey | str | os.PathLike[str] | None,
    url: str | None,
    token: str | None,
    spool: str | os.PathLike[str] | None,
    fail_closed: bool,
) -> tuple[PrivateKey | None, Delivery | None]:
    """Key and server, judged before the work begins; none where they are wrong, with one warning."""
    try:
        signer, delivery = signing_key(key), destination(url, token, Path(spool) if spool else None)
        delivery.start()
    except (LineageError, OSError) as error:
        if fail_closed:
            raise
        log.warning("Nothing will be signed: %s", error)
        return None, None
    return signer, delivery


def signing_key(key: PrivateKey | str | os.PathLike[str] | None) -> PrivateKey:
    """The key to sign with, from what was given or else `LINEAGE_KEY`. Raises ConfigurationError."""
    if isinstance(key, PrivateKey):
        return key
    path = key or os.environ.get("LINEAGE_KEY")
    if not path:
        raise ConfigurationError("There is no key to sign with: give key, or set LINEAGE_KEY.")
    return read_private_key(Path(path))


def _finish(
    run: RecordedRun, told: RunFacts, facts: Facts, key: PrivateKey, delivery: Delivery, fail_closed: bool
) -> None:
    told.host, told.code = facts.get()
    told.record = canonical.plain(
        {
            "builder": told.builder,
            "invocation": told.invocation,
            "name": told.name,
            "status": told.status,
            "started": told.started,
            "finished": told.finished,
            "parameters": _values(run.parameters),
            "metrics": _values(run.metrics),
        }
    )
    told.parameters, told.metrics = told.record["parameters"], told.record["metrics"]
    payload = run_statement(told, run.inputs, run.outputs)
    name = delivery.hand(dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload, key))
    if fail_closed:
        delivery.settle(name, FAIL_CLOSED_SECONDS)
    else:
        delivery.close(EXIT_SECONDS)


def _values(said: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values; a number of another library by its `item`, anything else by its words."""
    found: dict[str, Any] = {}
    for name, value in said.items():
        plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        known = plain is None or isinstance(plain, str | int | float | list | tuple | dict)
        found[str(name)] = plain if known else str(plain)
    return found
