"""What our collector saw of a node on MLflow servers, and what changed there after it had finished.

Owns: which observations belong to a node or a thing, as of a moment. Does not own: reading them out of the
log (`observed_entries`), registered models and their aliases (`registered_models`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from lineage.db.models import Entry, Envelope, SourceObject
from lineage.graph import sql_claims
from lineage.graph.model import ClaimKind, NodeKind
from lineage.graph.sql_moment import REVOKED, Moment
from lineage.graph.sql_query import fetch, id_table, one_of
from lineage.predicates.mlflow_observation import TYPE
from lineage.services import belief, observed_entries
from lineage.services.as_of import AsOf
from lineage.services.lineage_closure import find
from lineage.services.observed_entries import Observed, Read, Thing

MODEL_PREFIX = "mlflow-model:"
MAX_THINGS = 20
"""Logged models with the same bytes, and versions of them, that a node's page follows."""
MAX_CANDIDATES = 5_000
MAX_RUNS = 100
"""Runs of one lineage whose recorded gaps are read."""
MAX_CHANGED = 500
"""Things changed after the fact that one answer looks at."""
OBSERVED = "observed"
_NEAREST = (3, 60)
"""How many of a run's newest observations are looked at for one of the run itself, and then."""


class Seen(msgspec.Struct, frozen=True):
    """A node's observations, newest first; `older` counts those that are left out."""

    observed: tuple[Observed, ...]
    older: int


class RunGaps(msgspec.Struct, frozen=True):
    """What the newest observation of a run found missing. `signed`: a believed pipeline signed the run."""

    slugs: tuple[str, ...]
    source: str
    run: str
    signed: bool


class AfterFact(msgspec.Struct, frozen=True):
    """Observations of changes after the end, newest first, cut; `total` of them.

    `complete`: False where more things had changed than were looked at.
    """

    observed: tuple[Observed, ...]
    total: int
    complete: bool


def of_node(key: str, as_of: AsOf, limit: int = 50) -> Seen:
    """What was observed of the node, and of a model's logged models and versions on their servers.

    Raises: NotFoundError where the node was not known at the moment.
    """
    number, kind = find(key, as_of)
    moment = belief.moment(as_of)
    if not any_observed(moment):
        return Seen((), 0)
    indexes = set(_attesting(number, moment))
    chained: dict[int, Read] = {}
    if kind is NodeKind.ARTIFACT:
        values = model_fingerprints(number, moment)
        for value in values:
            indexes.update(_claiming(value, moment))
        for reads in observed_entries.back(_things(number, values, moment), as_of, most=limit + 1).values():
            chained |= {read.observed.index: read for read in reads}
    return _newest(indexes, chained, as_of, limit)


def replaced(key: str, as_of: AsOf) -> list[Observed]:
    """The newest look at the files of each logged model that had these bytes, where it has other ones since.

    Raises: NotFoundError where the node was not known at the moment.
    """
    number, _ = find(key, as_of)
    places = [value.removeprefix(MODEL_PREFIX) for value in model_fingerprints(number, belief.moment(as_of))]
    parts = [place.partition("/") for place in places]
    things = [(source, "logged-model-files", id) for source, _, id in parts]
    reads = observed_entries.back(starts(things, as_of.size), as_of, most=1)
    newest = [reads[thing][0].observed for thing in things if reads.get(thing)]
    return [each for each in newest if each.key not in ("", key) and each.state == "present"]


def chain(source: str, kind: str, id: str, as_of: AsOf, limit: int = 200) -> list[Observed]:
    """The observations of one thing, newest first: each names the one before."""
    thing = (source, kind, id)
    reads = observed_entries.back(starts([thing], as_of.size), as_of, most=limit)
    return [read.observed for read in reads.get(thing, [])]


def newest_gaps(nodes: Sequence[int], as_of: AsOf, moment: Moment) -> dict[int, RunGaps]:
    """What runs among these nodes (ids) lack by their newest observation; of the newest MAX_RUNS runs."""
    if not nodes or not any_observed(moment):
        return {}
    runs = _observed_runs(nodes, moment)
    found: dict[int, RunGaps] = {}
    passed = 0
    for nearest in _NEAREST:
        missing = [run for run in runs if run not in found]
        if not missing:
            break
        places = _newest_of_each(missing, moment, passed, nearest)
        reads = observed_entries.load((index for _, index in places), as_of)
        for run, index in places:
            read = reads.get(index)
            if run not in found and read and read.believed and read.observed.kind == "run":
                told = read.observed
                found[run] = RunGaps(told.gaps, told.source, told.id, signed=False)
        passed = nearest
    signed = _signed(list(found), moment)
    return {run: msgspec.structs.replace(gaps, signed=run in signed) for run, gaps in found.items()}


def after_the_fact(as_of: AsOf, since_us: int, limit: int) -> AfterFact:
    """What changed of finished things, as observed in entries that were received from `since_us` on."""
    first = Entry.objects.filter(received_us__gte=since_us, index__lt=as_of.size).order_by(
        "received_us", "index"
    )
    floor = first.values_list("index", flat=True).first()
    if floor is None:
        return AfterFact((), 0, True)
    rows = SourceObject.objects.filter(
        changed_after_end=True, entry_index__gte=floor, first_index__lt=as_of.size
    ).order_by("-entry_index")
    listed = list(rows.values_list("source", "kind", "external_id", "entry_index")[: MAX_CHANGED + 1])
    begins = {(source, kind, id): index for source, kind, id, index in listed[:MAX_CHANGED]}
    walked = observed_entries.back(begins, as_of, most=MAX_CHANGED, floor=floor)
    found = [read.observed for reads in walked.values() for read in reads]
    found = [each for each in found if each.after_end and each.changes]
    found.sort(key=lambda each: -each.index)
    return AfterFact(_keyed(found[:limit], as_of.size), len(found), len(listed) <= MAX_CHANGED)


def any_observed(moment: Moment) -> bool:
    """Whether the log has any observation of MLflow then: most of this room has nothing to do without."""
    return Entry.objects.filter(predicate_type=TYPE, index__lt=moment.size).exists()


def starts(things: Iterable[Thing], size: int) -> dict[Thing, int]:
    """The newest entry that is known of each, where any is below the tree size `size`."""
    found: dict[Thing, int] = {}
    by_place: dict[tuple[str, str], list[str]] = {}
    for source, kind, id in things:
        by_place.setdefault((source, kind), []).append(id)
    for (source, kind), ids in by_place.items():
        rows = SourceObject.objects.filter(
            source=source, kind=kind, external_id__in=ids, first_index__lt=size
        ).values_list("external_id", "entry_index")
        found |= {(source, kind, id): index for id, index in rows}
    return found


def model_fingerprints(number: int, moment: Moment) -> list[str]:
    """`mlflow-model:<source>/<id>` of the logged models that have these bytes; the newest MAX_THINGS."""
    claims = sql_claims.claims(number, ClaimKind.FINGERPRINT, moment)
    values = [
        claim.value
        for claim in claims
        if claim.value.startswith(MODEL_PREFIX) and claim.trust not in ("signed", REVOKED)
    ]
    return values[-MAX_THINGS:]


def versions_named(number: int, sources: Collection[str], moment: Moment) -> list[Thing]:
    """The model versions whose names our collector gave the node; the newest MAX_THINGS."""
    if not sources:
        return []
    claims = sql_claims.claims(number, ClaimKind.NAME, moment)
    names = [claim.value for claim in claims if claim.trust == OBSERVED and "/" in claim.value]
    rows = SourceObject.objects.filter(
        source__in=sources, kind="model-version", external_id__in=names[-500:], first_index__lt=moment.size
    ).order_by("-first_index")
    found = rows.values_list("source", "external_id")[:MAX_THINGS]
    return [(source, "model-version", id) for source, id in found]


def stored(indexes: Iterable[int]) -> list[int]:
    """Those of these entries whose envelopes are stored: a redaction takes one away, and leaves its leaf."""
    wanted = list(indexes)
    kept = set(Envelope.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    return [index for index in wanted if index in kept]


def sources_of(fingerprints: Iterable[str]) -> set[str]:
    return {value.removeprefix(MODEL_PREFIX).partition("/")[0] for value in fingerprints}


def _things(number: int, fingerprints: Sequence[str], moment: Moment) -> dict[Thing, int]:
    """What happens to a logged model or a version without its bytes being named: it is edited, or deleted."""
    things: list[Thing] = []
    for value in fingerprints:
        source, _, id = value.removeprefix(MODEL_PREFIX).partition("/")
        things += [(source, "logged-model", id), (source, "logged-model-files", id)]
    things += versions_named(number, sources_of(fingerprints), moment)
    return starts(things, moment.size)


def _newest(indexes: set[int], chained: dict[int, Read], as_of: AsOf, limit: int) -> Seen:
    """The newest of both. Which entries are believed is known only once they are read."""
    candidates = sorted(indexes | chained.keys(), reverse=True)
    shown: list[Observed] = []
    place = 0
    while place < len(candidates) and len(shown) < limit:
        part = candidates[place : place + limit - len(shown)]
        reads = observed_entries.load((index for index in part if index not in chained), as_of)
        reads |= {index: chained[index] for index in part if index in chained}
        shown += [reads[index].observed for index in part if index in reads and reads[index].believed]
        place += len(part)
    return Seen(tuple(shown), len(candidates) - place)


def _attesting(number: int, moment: Moment) -> list[int]:
    sql = (
        'SELECT DISTINCT c."index" FROM graph_claim c WHERE c.node_id = %s AND c.kind = %s AND c.value = %s '
        'AND c.trust = %s AND c."index" < %s ORDER BY c."index" DESC LIMIT %s'
    )
    params = [number, ClaimKind.ATTESTED, TYPE, OBSERVED, moment.size, MAX_CANDIDATES]
    return [row[0] for row in fetch(sql, params)]


def _claiming(fingerprint: str, moment: Moment) -> list[int]:
    """The entries that name the logged model, whichever bytes it had then."""
    sql = (
        'SELECT DISTINCT c."index" FROM graph_claim c WHERE c.kind = %s AND c.value = %s '
        'AND c.trust = %s AND c."index" < %s ORDER BY c."index" DESC LIMIT %s'
    )
    params = [ClaimKind.FINGERPRINT, fingerprint, OBSERVED, moment.size, MAX_CANDIDATES]
    return [row[0] for row in fetch(sql, params)]


def _observed_runs(nodes: Sequence[int], moment: Moment) -> list[int]:
    table, params = id_table(nodes)
    sql = (
        "SELECT n.id FROM graph_node n WHERE n.kind = %s "
        f"AND n.id IN {table} AND EXISTS (SELECT 1 FROM graph_claim c WHERE c.node_id = n.id "
        'AND c.kind = %s AND c.value = %s AND c.trust = %s AND c."index" < %s) ORDER BY n.id DESC LIMIT %s'
    )
    claimed = [ClaimKind.ATTESTED, TYPE, OBSERVED, moment.size]
    return [row[0] for row in fetch(sql, [NodeKind.RUN, *params, *claimed, MAX_RUNS])]


def _newest_of_each(nodes: Sequence[int], moment: Moment, above: int, up_to: int) -> list[tuple[int, int]]:
    """(node, log index), each node's newest first, from place `above` + 1 to `up_to`."""
    sql = (
        "SELECT node_id, said FROM (SELECT node_id, said, ROW_NUMBER() OVER (PARTITION BY node_id "
        'ORDER BY said DESC) AS place FROM (SELECT DISTINCT c.node_id, c."index" AS said FROM graph_claim c '
        f"WHERE c.node_id IN {one_of(nodes)} AND c.kind = %s AND c.value = %s AND c.trust = %s "
        'AND c."index" < %s) d) p WHERE place > %s AND place <= %s ORDER BY said DESC'
    )
    params = [*nodes, ClaimKind.ATTESTED, TYPE, OBSERVED, moment.size, above, up_to]
    return [(node, index) for node, index in fetch(sql, params)]


def _signed(nodes: Sequence[int], moment: Moment) -> set[int]:
    if not nodes:
        return set()
    believed, more = moment.unrevoked("c")
    sql = (
        f"SELECT DISTINCT c.node_id FROM graph_claim c WHERE c.node_id IN {one_of(nodes)} "
        f'AND c.kind = %s AND c.trust = %s AND c."index" < %s{believed}'
    )
    return {row[0] for row in fetch(sql, [*nodes, ClaimKind.ATTESTED, "signed", moment.size, *more])}


def _keyed(found: Sequence[Observed], size: int) -> tuple[Observed, ...]:
    """A logged model's own record names no bytes: those that were hashed first stand for it."""
    bare = [(each.source, each.id) for each in found if each.kind == "logged-model" and not each.key]
    rows = SourceObject.objects.filter(
        kind="logged-model-files",
        source__in={source for source, _ in bare},
        external_id__in={id for _, id in bare},
        first_index__lt=size,
    ).values_list("source", "external_id", "first_artifact")
    keys = {(source, id): key for source, id, key in rows}
    return tuple(
        each
        if each.key
        else msgspec.structs.replace(each, key=keys.get((each.source, each.id), ""))
        if each.kind == "logged-model"
        else each
        for each in found
    )
