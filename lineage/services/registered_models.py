"""Registered models of MLflow servers, as the log has them: versions, aliases, and who was champion when.

Owns: reading an alias's history out of a model's records. Does not own: walking along records
(`observed_entries`). Times are those at which the collector looked: what was moved and moved back between
two looks was never seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lineage.db.models import SourceObject
from lineage.errors import NotFoundError
from lineage.graph.model import NodeKind, run_key
from lineage.predicates.mlflow_observation import builder_id
from lineage.services import belief, observations, observed_entries
from lineage.services.as_of import AsOf
from lineage.services.lineage_closure import find
from lineage.services.observed_entries import MAX_STEPS, Observed, Read

MAX_VERSIONS = 200
MAX_CHANGES = 50
MAX_REGISTRATIONS = 10
"""Registered models whose alias history a node's page reads."""


class AliasSpell(msgspec.Struct, frozen=True):
    """An alias that named a version. `to_…` are None and "" while it still does.

    `from_…` and `to_…`: log index and time (RFC 3339) of the observation that saw it first, and of the first
    that did not; `entry` and `to_entry` their envelopes. `since_first`: so it was in the oldest record read.
    """

    alias: str
    version: str
    from_index: int
    from_at: str
    entry: str
    since_first: bool
    to_index: int | None = None
    to_at: str = ""
    to_entry: str = ""


class AliasHistory(msgspec.Struct, frozen=True):
    """Spells: those that last, then the others, ended last first. `complete`: back to the first record."""

    spells: tuple[AliasSpell, ...]
    complete: bool


class VersionRecord(msgspec.Struct, frozen=True):
    """One version: its newest observation, the nodes of its bytes and run ("": none), and aliases now."""

    version: str
    observed: Observed
    artifact: str
    run: str
    stage: str
    status: str
    aliases: tuple[str, ...]


class ModelRecord(msgspec.Struct, frozen=True):
    """A registered model at a moment. `observed` is newest first, cut; `versions` too, of `version_total`."""

    source: str
    name: str
    state: str
    description: str
    tags: tuple[tuple[str, str], ...]
    aliases: tuple[tuple[str, str], ...]
    history: AliasHistory
    versions: tuple[VersionRecord, ...]
    version_total: int
    observed: tuple[Observed, ...]
    older: int


class Registration(msgspec.Struct, frozen=True):
    """That a node is a version of a registered model, and the aliases that named it."""

    source: str
    model: str
    version: str
    state: str
    history: AliasHistory


def alias_history(source: str, name: str, as_of: AsOf) -> AliasHistory:
    """Which alias named which version from when to when; without spells for a model that was not seen."""
    return _history(_chain(source, name, as_of))


def model(source: str, name: str, as_of: AsOf) -> ModelRecord:
    """The registered model. Raises: NotFoundError where it had not been seen at the moment."""
    reads = _chain(source, name, as_of)
    readable = [read for read in reads if read.observed.readable]
    if not readable:
        raise NotFoundError(f"No registered model {name!r} had been seen on {source} then.")
    newest = readable[0]
    content = observed_entries.content(newest)
    aliases = _aliases(newest)
    versions, total = _versions(source, name, aliases, as_of)
    return ModelRecord(
        source=source,
        name=name,
        state=newest.observed.state,
        description=_text(content.get("description")),
        tags=tuple(sorted(_pairs(content.get("tags")).items())),
        aliases=tuple(sorted(aliases.items())),
        history=_history(reads),
        versions=versions,
        version_total=total,
        observed=tuple(read.observed for read in reads[:MAX_CHANGES]),
        older=max(0, len(reads) - MAX_CHANGES),
    )


def of_node(key: str, as_of: AsOf) -> list[Registration]:
    """Under which names and versions the bytes of the node are registered, newest first, cut.

    Raises: NotFoundError where the node was not known at the moment.
    """
    number, node_kind = find(key, as_of)
    if node_kind is not NodeKind.ARTIFACT:
        return []
    moment = belief.moment(as_of)
    fingerprints = observations.model_fingerprints(number, moment)
    things = observations.versions_named(number, observations.sources_of(fingerprints), moment)
    begins = observations.starts(things, as_of.size)
    newest = observed_entries.back(begins, as_of, most=1)
    histories: dict[tuple[str, str], AliasHistory] = {}
    found = []
    for source, kind, id in things:
        reads = newest.get((source, kind, id))
        name, _, version = id.rpartition("/")
        if not reads:
            continue
        if (source, name) not in histories and len(histories) < MAX_REGISTRATIONS:
            histories[source, name] = alias_history(source, name, as_of)
        history = histories.get((source, name), AliasHistory((), False))
        spells = tuple(spell for spell in history.spells if spell.version == version)
        found.append(
            Registration(
                source, name, version, reads[0].observed.state, AliasHistory(spells, history.complete)
            )
        )
    return found


def _chain(source: str, name: str, as_of: AsOf) -> list[Read]:
    thing = (source, "registered-model", name)
    begins = observations.starts([thing], as_of.size)
    return observed_entries.back(begins, as_of, most=MAX_STEPS).get(thing, [])


def _history(reads: Sequence[Read]) -> AliasHistory:
    """`reads` are newest first, as a walk gives them."""
    lasting: dict[str, AliasSpell] = {}
    over: list[AliasSpell] = []
    complete = bool(reads) and reads[-1].observed.first
    for place, read in enumerate(reversed(reads)):
        if not read.observed.readable:
            continue
        seen = read.observed
        now = _aliases(read)
        for alias in [alias for alias, spell in lasting.items() if now.get(alias) != spell.version]:
            ended = lasting.pop(alias)
            over.append(
                msgspec.structs.replace(ended, to_index=seen.index, to_at=seen.at, to_entry=seen.digest)
            )
        for alias, version in now.items():
            if alias not in lasting:
                lasting[alias] = AliasSpell(
                    alias, version, seen.index, seen.at, seen.digest, since_first=place == 0
                )
    spells = sorted(lasting.values(), key=lambda spell: (-spell.from_index, spell.alias))
    spells += sorted(over, key=lambda spell: (-(spell.to_index or 0), -spell.from_index, spell.alias))
    return AliasHistory(tuple(spells), complete)


def _aliases(read: Read) -> dict[str, str]:
    """Alias → version; none of a model that is no longer on the server."""
    if read.observed.state != "present":
        return {}
    return _pairs(observed_entries.content(read).get("aliases"))


def _versions(
    source: str, name: str, aliases: Mapping[str, str], as_of: AsOf
) -> tuple[tuple[VersionRecord, ...], int]:
    """The newest versions that had been seen, and how many there were."""
    rows = SourceObject.objects.filter(
        source=source,
        kind="model-version",
        external_id__startswith=f"{name}/",
        first_index__lt=as_of.size,
    ).order_by("-first_index")
    ids = [id for id in rows.values_list("external_id", flat=True) if id.rpartition("/")[0] == name]
    things = [(source, "model-version", id) for id in ids[:MAX_VERSIONS]]
    reads = observed_entries.back(observations.starts(things, as_of.size), as_of, most=1)
    found = [_version(reads[thing][0], aliases) for thing in things if reads.get(thing)]
    found.sort(key=lambda each: _number(each.version), reverse=True)
    return tuple(found), len(ids)


def _version(read: Read, aliases: Mapping[str, str]) -> VersionRecord:
    content, seen = observed_entries.content(read), read.observed
    version = seen.id.rpartition("/")[2]
    run = seen.run or _text(content.get("run_id"))
    return VersionRecord(
        version=version,
        observed=seen,
        artifact=seen.key,
        run=run_key(builder_id(seen.source), run, "") if run else "",
        stage=_stage(_text(content.get("stage"))),
        status=_text(content.get("status")),
        aliases=tuple(sorted(alias for alias, named in aliases.items() if named == version)),
    )


def _stage(text: str) -> str:
    """MLflow says "None" of a version that is in no stage."""
    return "" if text == "None" else text


def _number(version: str) -> tuple[int, str]:
    return (int(version) if version.isascii() and version.isdigit() and len(version) < 19 else 0, version)


def _pairs(value: Any) -> dict[str, str]:
    """Names and texts of a map of a record, or of what stands for a long one (`lineage.mlflow.fitting`)."""
    if isinstance(value, dict) and set(value) == {"count", "sha256", "first"}:
        value = value["first"]
    return {name: _text(text) for name, text in value.items()} if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A text of a record; of a long one its beginning."""
    if isinstance(value, dict):
        begins = value.get("begins")
        return f"{begins}…" if isinstance(begins, str) else ""
    return value if isinstance(value, str) else ""
