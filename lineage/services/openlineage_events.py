"""One OpenLineage event read into what `openlineage-observation:v1` says of it.

Owns: what is an event, what of it may be kept (secrets masked, long parts cut), how a data set's namespace
and name become a URI. Pure. Does not own: signing and the log (`openlineage`), HTTP
(`api.interop.openlineage`).
Source: OpenLineage 2-0-2, spec/OpenLineage.json; spec/Naming.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from lineage.errors import MalformedError, TooLargeError
from lineage.mlflow import fitting, masking
from lineage.predicates.openlineage_observation import MAX_DATASETS
from lineage.services.openlineage_batch import few_parts
from lineage.trust import canonical, strictjson
from lineage.trust.digest import sha256_hex

MAX_EVENT_BYTES = 5 << 20
MAX_NESTING = 48
"""Of an event; the statement around it has levels of its own."""
MAX_PARTS = 200_000
"""Objects and lists in an event."""
MAX_MEMBERS = 1_000
"""Of the event itself, which has a dozen."""
MAX_ENVELOPES = 20
"""Attestations that one event may bring along."""

MAX_PREDICATE_BYTES = 5 << 20
"""Of what is signed: base64 makes a third more of it, and an envelope has at most 8 MiB."""
MAX_SEARCHED = 1 << 20
"""Characters of an event that are searched for secrets, which takes about 1 µs each. Texts that come after
them stand as their SHA-256: nothing is kept that was not searched."""

_MAX_NAME = 1_000
_LABELLED = (("name", "value"), ("key", "value"))
_HEX = frozenset("0123456789abcdef")


class _Dataset(msgspec.Struct):
    namespace: str
    name: str
    facets: dict[str, Any] | None = None


class _Job(msgspec.Struct):
    namespace: str
    name: str


class _Run(msgspec.Struct):
    runId: str  # noqa: N815 the member's name in JSON


class _Event(msgspec.Struct):
    """RunEvent, JobEvent and DatasetEvent in one: which it is shows from `run`, `job` and `dataset`."""

    eventType: str | None = None  # noqa: N815
    eventTime: str | None = None  # noqa: N815
    producer: str | None = None
    run: _Run | None = None
    job: _Job | None = None
    dataset: _Dataset | None = None
    inputs: list[_Dataset] | None = None
    outputs: list[_Dataset] | None = None


class Read(msgspec.Struct, frozen=True):
    """`digest` (bare hex) knows the event; `predicate` lacks only who sent it.

    `envelopes` are the DSSE envelopes that its data sets carry, as they are.
    """

    digest: str
    name: str
    predicate: dict[str, Any]
    envelopes: tuple[bytes, ...]


def read(data: bytes) -> Read:
    """An event's JSON.

    Raises:
        MalformedError: no strict JSON, or no event.
        TooLargeError: more bytes, levels, parts, data sets or envelopes than an event may have.
    """
    if len(data) > MAX_EVENT_BYTES:
        raise TooLargeError(
            f"The event has {len(data):,} bytes; the limit is {MAX_EVENT_BYTES:,}.", limit=MAX_EVENT_BYTES
        )
    few_parts(data, MAX_PARTS)
    strictjson.check(data, what="event", max_nesting=MAX_NESTING)
    sent = _decoded(data)
    event = fitting.fitted(_Masking().members(canonical.plain(sent)), fitting.MAX_RECORD_BYTES)
    if len(canonical.encode(event)) > fitting.MAX_RECORD_BYTES:
        raise TooLargeError("The event's own members are too long.", limit=fitting.MAX_RECORD_BYTES)
    told = _typed(sent)
    predicate = _predicate(told) | {"event": event}
    if len(msgspec.json.encode(predicate)) > MAX_PREDICATE_BYTES:
        raise TooLargeError("The event names too much to be kept.", limit=MAX_PREDICATE_BYTES)
    return Read(
        digest=canonical.digest(event),
        name=fitting.short(_called(told)),
        predicate=predicate,
        envelopes=_envelopes(told),
    )


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        sent = msgspec.json.decode(data)
    except msgspec.DecodeError as error:  # numbers that are beyond a float or an integer
        raise strictjson.mismatch(error, "The event can't be read") from error
    if not isinstance(sent, dict):
        raise MalformedError("An event is a JSON object.")
    if len(sent) > MAX_MEMBERS:
        raise TooLargeError(f"The event has more than {MAX_MEMBERS:,} members.", limit=MAX_MEMBERS)
    return sent


def moment(text: str) -> str:
    """A time as clients write it, in UTC as RFC 3339; without an offset it counts as UTC. "": unreadable.

    Nanoseconds are cut to microseconds; a time may lack seconds, as Java writes them.
    """
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def uri(namespace: str, name: str) -> str:
    """A data set's URI: `s3://bucket` and `a/b` are `s3://bucket/a/b`.

    Where the namespace has no scheme, both are percent-encoded, so that no two pairs are one URI.
    """
    if "://" in namespace:
        return f"{namespace.rstrip('/')}/{name.removeprefix('/')}"
    return f"openlineage:{quote(namespace, safe='')}/{quote(name, safe='')}"


def _typed(sent: dict[str, Any]) -> _Event:
    try:
        told = msgspec.convert(sent, _Event)
    except msgspec.ValidationError as error:
        raise strictjson.mismatch(error, "This is no OpenLineage event") from error
    if told.run is not None and (told.job is None or not told.run.runId):
        raise MalformedError("A RunEvent needs run.runId and a job with namespace and name.")
    if told.run is not None and told.job is not None and "\n" in told.job.namespace:
        # It names the run's builder, whose id has none (`predicates.runs`): logged, it would have no effect.
        raise MalformedError("The namespace of a run's job has no line break.", where="job.namespace")
    if told.run is None and told.job is None and told.dataset is None:
        raise MalformedError("An event is about a run, a job or a dataset, and this names none.")
    for number, listed in enumerate((told.inputs, told.outputs)):
        if len(listed or ()) > MAX_DATASETS:
            where = ("inputs", "outputs")[number]
            raise TooLargeError(
                f"More than {MAX_DATASETS:,} data sets, the limit.", limit=MAX_DATASETS, where=where
            )
    return told


def _called(told: _Event) -> str:
    about = told.job or told.dataset
    return uri(_name(about.namespace), _name(about.name)) if about else ""


def _predicate(told: _Event) -> dict[str, Any]:
    found: dict[str, Any] = {
        "eventType": _name(told.eventType or ""),
        "eventTime": moment(told.eventTime or ""),
        "producer": _name(told.producer or ""),
        "run": _name(told.run.runId) if told.run else "",
        "used": _descriptors(told.inputs or ()),
        "generated": _descriptors(told.outputs or ()),
        "about": _descriptors([told.dataset] if told.dataset else ()),
    }
    if told.job is not None:
        found["job"] = {"namespace": _name(told.job.namespace), "name": _name(told.job.name)}
    return {member: value for member, value in found.items() if value}


def _descriptors(listed: Sequence[_Dataset]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for each in listed:
        namespace, name = _name(each.namespace), _name(each.name)
        descriptor: dict[str, Any] = {"uri": fitting.short(uri(namespace, name), _MAX_NAME), "name": name}
        if sha256 := _sha256(each.facets or {}):
            descriptor["digest"] = {"sha256": sha256}
        found.append(descriptor)
    return found


def _name(value: str) -> str:
    """A name that fits into claims, without secrets; no two names become one."""
    return fitting.short(_text(canonical.text(value)), _MAX_NAME)


def _sha256(facets: Mapping[str, Any]) -> str:
    """The SHA-256 that the client says the data set has; "" where it says none, or what is none."""
    facet = facets.get("lineage_digest")
    said = facet.get("sha256") if isinstance(facet, dict) else None
    found = said.lower() if isinstance(said, str) else ""
    return found if len(found) == 64 and set(found) <= _HEX else ""


def _envelopes(told: _Event) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for each in (*(told.inputs or ()), *(told.outputs or ()), *([told.dataset] if told.dataset else ())):
        facet = (each.facets or {}).get("lineage_attestation")
        envelope = facet.get("dsse") if isinstance(facet, dict) else None
        if isinstance(envelope, str):
            found.append(envelope.encode())
        elif isinstance(envelope, dict):
            found.append(msgspec.json.encode(envelope))
        if len(found) > MAX_ENVELOPES:
            raise TooLargeError(
                f"More than {MAX_ENVELOPES} attestations in one event, the limit.", limit=MAX_ENVELOPES
            )
    return tuple(dict.fromkeys(found))


class _Masking:
    """One event without secrets: by their form, and by what the member or the variable is called."""

    def __init__(self) -> None:
        self._searched = 0

    def members(self, value: dict[str, Any]) -> dict[str, Any]:
        return {name: self._member(name, member) for name, member in _labelled(value)}

    def _member(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return masking.MASK if value and masking.secret_name(name[:200]) else self._text(value)
        if isinstance(value, dict):
            return self.members(value)
        if isinstance(value, list):
            return [self._member("", item) for item in value]
        return value

    def _text(self, value: str) -> str | dict[str, Any]:
        self._searched += min(len(value), fitting.MAX_TEXT)
        if self._searched > MAX_SEARCHED:
            return f"sha256:{sha256_hex(value.encode())}"
        if len(value) <= fitting.MAX_TEXT:
            return masking.text(value)
        begins = masking.text(value[: fitting.MAX_TEXT])[: fitting.BEGINS]
        return {"sha256": sha256_hex(value.encode()), "characters": len(value), "begins": begins}


def _labelled(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The members; of `{"name": "DB_PASSWORD", "value": "…"}` the value is masked by its label."""
    for name, member in value.items():
        label = next((value.get(by) for by, of in _LABELLED if of == name and by in value), None)
        secret = isinstance(member, str) and isinstance(label, str) and masking.secret_name(label[:200])
        yield name, masking.MASK if secret else member


def _text(value: str) -> str:
    """A name's secrets masked; of one that is too long to be searched its digest stands for the rest."""
    if len(value) <= _MAX_NAME:
        return masking.text(value)
    begins = masking.text(value[:_MAX_NAME])[: fitting.BEGINS]
    return f"{begins}… sha256:{sha256_hex(value.encode())}"
