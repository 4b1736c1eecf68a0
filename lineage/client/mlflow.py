"""Sign each MLflow run in the process that trains, by two lines of its script.

    import lineage.client.mlflow as lm

    lm.autosign(key="training.pem", url="https://lineage.example", token="lin_…", source="lab")

Owns: what a script calls. Does not own: what is seen of MLflow (`mlflow_hooks`, `mlflow_seen`), the statement
(`mlflow_signing`), sending (`delivery`). MLflow itself is imported by `autosign` and nothing earlier.

Nothing of this breaks, hangs or fails a training: what goes wrong is one warning in the log, and what can't
be sent waits on disk. `fail_closed` turns that round.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
from pathlib import Path

from lineage.client.delivery import EXIT_SECONDS, destination
from lineage.client.facts import Facts
from lineage.client.mlflow_seen import Process, Seen
from lineage.client.mlflow_signing import Signing
from lineage.client.recording import signing_key
from lineage.client.run_statement import identity_of
from lineage.client.told import Reference, Told
from lineage.errors import ConfigurationError, LineageError
from lineage.mlflow import stated
from lineage.trust.keys import PrivateKey

__all__ = ["autosign", "flush", "from_scratch", "made", "used"]

log = logging.getLogger(__name__)

OLDEST = (3, 0)
"""Version of MLflow: earlier ones have no logged models."""

_SOURCE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_signing: Signing | None = None


def autosign(
    *,
    key: PrivateKey | str | os.PathLike[str] | None = None,
    url: str | None = None,
    token: str | None = None,
    source: str | None = None,
    hardware: str = "",
    activity: str = "",
    spool: str | os.PathLike[str] | None = None,
    fail_closed: bool = False,
) -> None:
    """From now on sign each MLflow run of this process at its end, and send it. Calling it again replaces.

    Local files behind `mlflow.log_input`, and logged models, are hashed by themselves; what else a run uses
    or makes is said by `used` and `made`. What earlier processes left in the spool is sent first.

    Arguments:
        key: private key (PEM file); default `LINEAGE_KEY`. It is registered for the builder
            `urn:lineage:mlflow:<source>`.
        url, token: the Lineage server and an API key with the scope `attest`; default `LINEAGE_URL`,
            `LINEAGE_TOKEN`. Without a token runs are signed and wait on disk.
        source: what the MLflow server is called there; default `LINEAGE_MLFLOW_SOURCE`.
        hardware: `hw:<hex>` of the machine's identity, where it has one; default `LINEAGE_HARDWARE`.
        activity: what the runs are; by default training, fine-tuning where a base model was used, evaluation
            where only models were used.
        spool: folder for what waits; default as in `spool.default_folder`.
        fail_closed: raise instead of warning, and end a run as FAILED whose statement the server has not got.

    Raises: LineageError, only with `fail_closed`.
    """
    global _signing  # noqa: PLW0603 there is one MLflow in a process
    try:
        _signing = _prepared(key, url, token, source, hardware, activity, spool, fail_closed)
    except (LineageError, ImportError, OSError) as error:
        if fail_closed:
            raise
        log.warning("MLflow runs will not be signed: %s", error)


def used(reference: Reference, *, role: str = "dataset", name: str = "") -> None:
    """Say what the active run uses, as `told.Told.used` takes it; a file or folder is hashed now.

    Outside of a run it counts for every run that this process starts from then on. With the name of a dataset
    that MLflow knows, it says what the bytes of that dataset are. `role="model"` names a base model.
    """
    if _signing is None:
        return
    seen = _active()
    told = seen.told if seen else Told(strict=_signing.strict)
    digest = told.used(reference, role=role, name=name)
    descriptor = told.inputs[-1]
    if seen is None:
        with _signing.process.lock:
            _signing.process.always.append((descriptor, digest if role == "dataset" else {}))
    elif role == "dataset":
        seen.hashed(str(descriptor.get("name", "")), digest)


def made(reference: Reference, *, role: str = "model", name: str = "") -> None:
    """Say what the active run made, as `told.Told.made` takes it; a file or folder is hashed now."""
    if _signing is None:
        return
    seen = _active()
    if seen is None:
        _complain(f"No run is active that could have made {reference!s}.")
        return
    seen.told.made(reference, role=role, name=name)


def from_scratch() -> None:
    """Say that the active run starts from no base model, which is otherwise shown as a gap."""
    if _signing is None:
        return
    import mlflow

    seen = _active()
    if seen is None:
        _complain("No run is active that could start from scratch.")
        return
    try:
        mlflow.MlflowClient().set_tag(seen.run_id, stated.BASE_MODEL, "none")
    except mlflow.exceptions.MlflowException as error:
        _complain(f"The run's tag can't be set: {error}")


def flush(seconds: float = EXIT_SECONDS) -> int:
    """Wait until what was signed is sent, `seconds` at the most; gives how many statements still wait."""
    return _signing.delivery.close(seconds) if _signing else 0


def _prepared(
    key: PrivateKey | str | os.PathLike[str] | None,
    url: str | None,
    token: str | None,
    source: str | None,
    hardware: str,
    activity: str,
    spool: str | os.PathLike[str] | None,
    fail_closed: bool,
) -> Signing:
    source = source or os.environ.get("LINEAGE_MLFLOW_SOURCE", "")
    if not _SOURCE.fullmatch(source):
        raise ConfigurationError(
            f"{source!r} names no MLflow server: lower case letters, digits and hyphens.",
            hint="Give source, or set LINEAGE_MLFLOW_SOURCE, to what the server is called in Lineage.",
        )
    signing = Signing(
        key=signing_key(key),
        source=source,
        delivery=destination(url, token, Path(spool) if spool else None),
        facts=_signing.facts if _signing else Facts(),
        process=_signing.process if _signing else Process(),
        hardware=identity_of(hardware or os.environ.get("LINEAGE_HARDWARE", "")),
        activity=activity,
        strict=fail_closed,
    )
    signing.process.strict = fail_closed
    _install(signing)
    signing.delivery.start()
    return signing


def _install(signing: Signing) -> None:
    import mlflow

    from lineage.client import mlflow_hooks

    if tuple(int(part) for part in mlflow.__version__.split(".")[:2] if part.isdigit()) < OLDEST:
        raise ConfigurationError(f"MLflow {mlflow.__version__} is too old: 3.0 or later is needed.")
    mlflow_hooks.install(signing)
    atexit.unregister(_leave)
    atexit.register(_leave)


def _leave() -> None:
    """The process ends. MLflow ends an open run before this, or after it: then `ending` waits."""
    if _signing is not None:
        _signing.leaving = True
        _signing.delivery.close()


def _active() -> Seen | None:
    """The run that is active in this thread."""
    import mlflow

    assert _signing is not None
    run = mlflow.active_run()
    return _signing.process.run(run.info.run_id) if run is not None else None


def _complain(message: str) -> None:
    if _signing is not None and _signing.strict:
        raise ConfigurationError(message)
    log.warning("%s", message)
