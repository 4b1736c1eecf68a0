"""One OpenLineage event read into what `openlineage-observation:v1` says of it.

Owns: what is an event, what of it may be kept (secrets masked, long parts cut), how a data set's namespace
and name become a URI. Pure. Does not own: signing and the log (`openlineage`), HTTP
(`api.interop.openlineage`).
Source: OpenLineage 2-0-2, spec/OpenLineage.json; spec/Naming.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from lineage.errors import MalformedError, TooLargeError
from lineage.mlflow import fitting, masking
from lineage.predicates.openlineage_observation import MAX_DATASETS
from lineage.trust import canonical, strictjson
from lineage.trust.digest import sha256_hex

MAX_EVENT_BYTES = 5 << 20
MAX_PARTS = 500_000
"""Objects and lists in one body: each takes some hundred bytes of memory once it is read."""
MAX_NESTING = 48
"""Of an event; the statement around it has levels of its own."""
MAX_ENVELOPES = 20
"""Attestations that one event may bring along."""

_MAX_NAME = 1_000
_MAX_MASKED = 10_000
"""Characters of a text that is searched for secrets whole."""
_LABELLED = (("name", "value"), ("key", "value"))
_SPACE = re.compile(r"[ \t\n\r]*+")
_DECODER = json.JSONDecoder(parse_int=len, parse_float=len)  # no number is converted, none can be too long
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
    few_parts(data)
    strictjson.check(data, what="event", max_nesting=MAX_NESTING)
    sent = msgspec.json.decode(data)
    if not isinstance(sent, dict):
        raise MalformedError("An event is a JSON object.")
    event = fitting.fitted(_masked(canonical.plain(sent)), fitting.MAX_RECORD_BYTES)
    if len(canonical.encode(event)) > fitting.MAX_RECORD_BYTES:
        raise TooLargeError("The event's own members are too long.", limit=fitting.MAX_RECORD_BYTES)
    told = _typed(sent)
    return Read(
        digest=canonical.digest(event),
        name=fitting.short(f"openlineage:{_called(told)}"),
        predicate=_predicate(told) | {"event": event},
        envelopes=_envelopes(told),
    )


def few_parts(data: bytes) -> None:
    """Raises: TooLargeError for more than `MAX_PARTS` objects and lists, before any of them is made."""
    if data.count(b"{") + data.count(b"[") > MAX_PARTS:
        raise TooLargeError(f"More than {MAX_PARTS:,} objects and lists, the limit.", limit=MAX_PARTS)


def items(data: bytes, most: int) -> list[bytes]:
    """The items of a JSON array, each as it was sent; cut one by one, and at most `most`.

    Raises: MalformedError where it is no array; TooLargeError.
    """
    few_parts(data)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("The batch is not UTF-8.", where=f"byte {error.start}") from None
    at = _space(text, 0)
    if text[at : at + 1] != "[":
        raise MalformedError("A batch is a JSON array of events.")
    found: list[bytes] = []
    at = _space(text, at + 1)
    empty = text[at : at + 1] == "]"
    while not empty:
        end = _item_end(text, at)
        found.append(text[at:end].encode())
        if len(found) > most:
            raise TooLargeError(f"More than {most:,} events in a batch, the limit.", limit=most)
        at = _space(text, end)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise MalformedError("The batch is not valid JSON.", where=f"character {at}")
        at = _space(text, at + 1)
    if _space(text, at + 1) != len(text):
        raise MalformedError("Something follows the batch.", where=f"character {at + 1}")
    return found


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # it matches nothing, too
    return found.end()


def _item_end(text: str, at: int) -> int:
    try:
        return _DECODER.raw_decode(text, at)[1]
    except (json.JSONDecodeError, RecursionError) as error:
        raise MalformedError("The batch is not valid JSON.", where=f"character {at}") from error


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


def _masked(value: dict[str, Any]) -> dict[str, Any]:
    """`value` without secrets: by their form, and by what the member or the variable is called."""
    return {name: _member(name, member) for name, member in _labelled(value)}


def _labelled(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The members; of `{"name": "DB_PASSWORD", "value": "…"}` the value is masked by its label."""
    for name, member in value.items():
        label = next((value.get(by) for by, of in _LABELLED if of == name and by in value), None)
        if isinstance(member, str) and isinstance(label, str) and masking.secret_name(label):
            yield name, masking.MASK
        else:
            yield name, member


def _member(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return masking.MASK if value and masking.secret_name(name[:200]) else _cut(value)
    if isinstance(value, dict):
        return _masked(value)
    if isinstance(value, list):
        return [_member("", item) for item in value]
    return value


def _cut(value: str) -> Any:
    if len(value) <= _MAX_MASKED:
        return masking.text(value)
    return {
        "sha256": sha256_hex(value.encode()),
        "characters": len(value),
        "begins": masking.text(value[:_MAX_MASKED])[: fitting.BEGINS],
    }


def _text(value: str) -> str:
    """A name's secrets masked; of one that is too long to be searched its digest stands for the rest."""
    if len(value) <= _MAX_MASKED:
        return masking.text(value)
    return f"{masking.text(value[:_MAX_MASKED])[: fitting.BEGINS]}… sha256:{sha256_hex(value.encode())}"
