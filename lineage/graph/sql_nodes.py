"""What is known of given nodes at a moment: name, roles, status, trust; and how many there are of each.

A hub (a base model that 100,000 runs use) has a name and a role claim from each of them. So nothing here
reads all claims of a node: each fact is a probe of an index that stops at the first row that settles it.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import msgspec

from lineage.graph.model import ClaimKind, NodeKind
from lineage.graph.sql_moment import REVOKED, TRUSTS, Moment
from lineage.graph.sql_query import PROBE, Row, Sql, fetch, id_table, text_table

ROLE_ORDER = ("system", "model", "adapter", "dataset", "code", "config", "report", "file")
"""How roles are listed; others follow by name."""

MANY_ROLES = 4
"""Role claims of one node that are read; of a node with more each role is probed for."""


class NodeRow(msgspec.Struct, frozen=True):
    """`name` is the first unrevoked one, or empty.

    `checked` are locations that a check told of and that somebody still believed states for it.
    """

    id: int
    key: str
    kind: str
    first_index: int
    status: str
    reasons: tuple[str, ...]
    name: str
    trust: str
    roles: tuple[str, ...] = ()
    checked: frozenset[str] = frozenset()


def status_join(moment: Moment, node: str = "n.id") -> Sql:
    """`LEFT JOIN graph_status s` on the one piece that holds at the moment."""
    sql = (
        f"LEFT JOIN graph_status s ON s.node_id = {node} AND s.from_index < %s "
        "AND (s.to_index IS NULL OR %s <= s.to_index) AND s.from_us <= %s AND %s < s.until_us"
    )
    return sql, [moment.size, moment.size, moment.at_us, moment.at_us]


def rows_of(keys: Collection[str]) -> dict[str, int]:
    """Node key → row id of those that exist."""
    table, listed = text_table(keys)
    return dict(fetch(f"SELECT key, id FROM graph_node WHERE key IN {table}", listed))


def load(ids: Sequence[int], moment: Moment) -> list[NodeRow]:
    """The nodes in the order of `ids`; an id that is not known at the moment is left out."""
    rows = {row[0]: row for row in _load(ids, moment)}
    settled = {number: row[7] for number, row in rows.items() if row[7]}
    trusts = {**_trust_by_claims([i for i in rows if i not in settled], moment), **settled}
    trusts = {**_trust_by_edges([i for i in rows if i not in trusts], moment), **trusts}
    artifacts = [i for i, row in rows.items() if row[2] == NodeKind.ARTIFACT]
    roles, checked = roles_of(artifacts, moment), _checked(artifacts, moment)
    return [
        _row(rows[i], trusts.get(i, REVOKED), roles.get(i, ()), checked.get(i, ())) for i in ids if i in rows
    ]


def _row(row: Row, trust: str, roles: tuple[str, ...], checked: Collection[str]) -> NodeRow:
    number, key, kind, first, status, reasons, name, _ = row
    return NodeRow(
        id=number,
        key=key,
        kind=kind,
        first_index=first,
        status=status or "unverified",  # one without a status has not been judged yet: never green
        reasons=tuple(reasons.split(",")) if reasons else (),
        name=name or "",
        trust=trust,
        roles=roles,
        checked=frozenset(checked),
    )


def _checked(ids: Collection[int], moment: Moment) -> dict[int, set[str]]:
    table, listed = id_table(ids)
    valid, revocations = moment.unrevoked("c")
    sql = (
        f"SELECT DISTINCT k.node_id, k.location FROM graph_check k WHERE k.node_id IN {table} "
        'AND k."index" < %s AND EXISTS ('
        "SELECT 1 FROM graph_claim c WHERE c.kind = %s AND c.value = k.location "
        f'AND c.node_id = k.node_id AND c."index" < %s{valid}{PROBE})'
    )
    found: dict[int, set[str]] = {}
    for number, location in fetch(sql, [*listed, moment.size, ClaimKind.LOCATION, moment.size, *revocations]):
        found.setdefault(number, set()).add(location)
    return found


def _role_place(role: str) -> tuple[int, str]:
    return (ROLE_ORDER.index(role) if role in ROLE_ORDER else len(ROLE_ORDER), role)


class Brief(msgspec.Struct, frozen=True, gc=False):
    """What a picture of thousands of nodes needs of one. `name` is the first unrevoked one, or empty."""

    id: int
    key: str
    kind: str
    first_index: int
    status: str
    name: str


def briefs(ids: Collection[int], moment: Moment) -> list[Brief]:
    """The nodes by id, ascending; one that is not known at the moment is left out."""
    table, listed = id_table(ids)
    name, named = _name(moment)
    join, joined = status_join(moment)
    sql = (
        f"SELECT n.id, n.key, n.kind, n.first_index, COALESCE(s.status, 'unverified'), COALESCE({name}, '') "
        f"FROM graph_node n {join} WHERE n.id IN {table} AND n.first_index < %s ORDER BY n.id"
    )
    return [Brief(*row) for row in fetch(sql, [*named, *joined, *listed, moment.size])]


def _name(moment: Moment) -> Sql:
    """Of the node `n`: what a statement about it calls it comes before what others call it in passing."""
    valid, revocations = moment.unrevoked("c")
    about, about_revocations = moment.unrevoked("a")
    own = (
        "SELECT c.value FROM graph_claim a CROSS JOIN graph_claim c WHERE c.node_id = a.node_id"
        ' AND c.kind = %s AND c."index" = a."index" AND c.signer_id = a.signer_id'
        f' AND a.node_id = n.id AND a.kind = %s AND a."index" < %s{about} ORDER BY a."index", c.id LIMIT 1'
    )
    sql = (
        f"({own}), "
        '(SELECT c.value FROM graph_claim c WHERE c.node_id = n.id AND c.kind = %s AND c."index" < %s'
        f'{valid} ORDER BY c."index", c.id LIMIT 1)'
    )
    params: list[object] = [ClaimKind.NAME, ClaimKind.ATTESTED, moment.size, *about_revocations]
    return sql, [*params, ClaimKind.NAME, moment.size, *revocations]


def _load(ids: Collection[int], moment: Moment) -> list[Row]:
    """(id, key, kind, first index, status, reasons, name, trust of what is about it) of each node."""
    table, listed = id_table(ids)
    valid, revocations = moment.unrevoked("c")
    join, joined = status_join(moment)
    name, named = _name(moment)
    attested = 'SELECT c.trust FROM graph_claim c WHERE c.node_id = n.id AND c.kind = %s AND c."index" < %s'
    sql = (
        f"SELECT n.id, n.key, n.kind, n.first_index, s.status, s.reasons, COALESCE({name}), "
        f"COALESCE(({attested}{valid} ORDER BY CASE c.trust WHEN 'signed' THEN 0 WHEN 'observed' THEN 1 "
        f"ELSE 2 END LIMIT 1), CASE WHEN EXISTS ({attested}) THEN '{REVOKED}' END) "
        f"FROM graph_node n {join} WHERE n.id IN {table} AND n.first_index < %s"
    )
    size = moment.size
    params: list[object] = [*named, ClaimKind.ATTESTED, size, *revocations, ClaimKind.ATTESTED, size]
    return fetch(sql, [*params, *joined, *listed, size])


def _trust_by_claims(ids: Collection[int], moment: Moment) -> dict[int, str]:
    """Trust of nodes that no statement is about, by what else is said of them, if anything is."""
    probe = 'SELECT 1 FROM graph_claim c WHERE c.node_id = r.id AND c."index" < %s'
    return _first_trust(ids, probe, "c", moment)


def _trust_by_edges(ids: Collection[int], moment: Moment) -> dict[int, str]:
    """Trust of nodes without any claim, by the edges that touch them."""
    probe = (
        "SELECT 1 FROM graph_edge e CROSS JOIN graph_support c "
        'WHERE (e.source_id = r.id OR e.target_id = r.id) AND c.edge_id = e.id AND c."index" < %s'
    )
    return _first_trust(ids, probe, "c", moment)


def _first_trust(ids: Collection[int], probe: str, alias: str, moment: Moment) -> dict[int, str]:
    if not ids:
        return {}
    table, listed = id_table(ids)
    valid, revocations = moment.unrevoked(alias)
    cases = "".join(
        f"WHEN EXISTS ({probe}{valid} AND {alias}.trust = '{trust}') THEN '{trust}' " for trust in TRUSTS
    )
    params = [moment.size, *revocations] * len(TRUSTS)
    sql = f"SELECT r.id, CASE {cases}WHEN EXISTS ({probe}) THEN '{REVOKED}' END FROM {table} r"
    return {number: trust for number, trust in fetch(sql, [*params, moment.size, *listed]) if trust}


def known_roles() -> list[str]:
    """Every role that any statement ever claimed: some ten, found by as many probes of the index."""
    least = "(SELECT MIN(c.value) FROM graph_claim c WHERE c.kind = %s AND c.value > {})"
    sql = (
        f"WITH RECURSIVE r(value) AS (SELECT {least.format('%s')} UNION ALL "
        f"SELECT {least.format('r.value')} FROM r WHERE r.value IS NOT NULL) "
        "SELECT value FROM r WHERE value IS NOT NULL"
    )
    return [role for (role,) in fetch(sql, [ClaimKind.ROLE, "", ClaimKind.ROLE])]


def roles_of(ids: Collection[int], moment: Moment) -> dict[int, tuple[str, ...]]:
    """Roles of those that have any, by unrevoked claims, in the order in which they are listed.

    Where no claim is left, the revoked ones: the node can still be found.
    """
    valid, revocations = moment.unrevoked("c")
    found = _claimed_roles(ids, moment.size, valid, revocations)
    if valid:
        rest = [number for number in ids if number not in found]
        found |= _claimed_roles(rest, moment.size, "", [])
    return {
        number: tuple(sorted(roles, key=_role_place)) if len(roles) > 1 else tuple(roles)
        for number, roles in found.items()
    }


def _claimed_roles(
    ids: Collection[int], size: int, valid: str, revocations: list[object]
) -> dict[int, set[str]]:
    if not ids:
        return {}
    hubs = _role_hubs(ids)
    found: dict[int, set[str]] = {}
    table, listed = id_table(number for number in ids if number not in hubs)
    sql = (
        f"SELECT r.id, c.value FROM {table} r CROSS JOIN graph_claim c "
        f'WHERE c.node_id = r.id AND c.kind = %s AND c."index" < %s{valid}'
    )
    rows = fetch(sql, [*listed, ClaimKind.ROLE, size, *revocations])
    if hubs:
        table, listed = id_table(hubs)
        roles, texts = text_table(known_roles())
        sql = (
            f"SELECT r.id, v.value FROM {table} r CROSS JOIN {roles} v WHERE EXISTS ("
            "SELECT 1 FROM graph_claim c WHERE c.kind = %s AND c.value = v.value "
            f'AND c.node_id = r.id AND c."index" < %s{valid}{PROBE})'
        )
        rows += fetch(sql, [*listed, *texts, ClaimKind.ROLE, size, *revocations])
    for number, role in rows:
        found.setdefault(number, set()).add(role)
    return found


def _role_hubs(ids: Collection[int]) -> set[int]:
    """Those with so many role claims that a probe for each role is cheaper than reading them."""
    table, listed = id_table(ids)
    sql = (
        f"SELECT r.id FROM {table} r WHERE EXISTS (SELECT 1 FROM graph_claim c "
        "WHERE c.node_id = r.id AND c.kind = %s LIMIT 1 OFFSET %s)"
    )
    return {row[0] for row in fetch(sql, [*listed, ClaimKind.ROLE, MANY_ROLES])}


def counts(ids: Collection[int], moment: Moment) -> dict[tuple[str, str], int]:
    """How many of these nodes are of each (kind, status)."""
    table, listed = id_table(ids)
    join, joined = status_join(moment)
    sql = (
        f"SELECT n.kind, COALESCE(s.status, 'unverified'), count(*) FROM graph_node n {join} "
        f"WHERE n.id IN {table} GROUP BY n.kind, COALESCE(s.status, 'unverified')"
    )
    return {(kind, status): count for kind, status, count in fetch(sql, [*joined, *listed])}


def sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """What all counts of a name add up to, in the order of names."""
    found: Counter[str] = Counter()
    for name, count in pairs:
        found[name] += count
    return dict(sorted(found.items()))


def counts_by_kind(ids: Collection[int]) -> dict[str, int]:
    """How many of these nodes are of each kind, by kind's name."""
    table, listed = id_table(ids)
    sql = f"SELECT kind, count(*) FROM graph_node WHERE id IN {table} GROUP BY kind ORDER BY kind"
    return dict(fetch(sql, listed))


def of_kinds(ids: Collection[int], kinds: Collection[str], size: int) -> list[int]:
    """Those of `ids`, ascending, that are of one of the node kinds or have one of the roles in `kinds`."""
    table, listed = id_table(ids)
    wanted, texts = text_table(kinds)
    sql = (
        f"SELECT n.id FROM graph_node n WHERE n.id IN {table} AND (n.kind IN {wanted} OR EXISTS ("
        f"SELECT 1 FROM {wanted} v CROSS JOIN graph_claim c WHERE c.kind = %s AND c.value = v.value "
        'AND c.node_id = n.id AND c."index" < %s)) ORDER BY n.id'
    )
    return [row[0] for row in fetch(sql, [*listed, *texts, *texts, ClaimKind.ROLE, size])]


def of_roles(ids: Collection[int], roles: Collection[str], size: int) -> list[int]:
    """Those of `ids`, ascending, of which somebody claimed one of the roles below that tree size."""
    table, listed = id_table(ids)
    wanted, texts = text_table(roles)
    sql = (
        f"SELECT n.id FROM {table} n WHERE EXISTS (SELECT 1 FROM {wanted} v CROSS JOIN graph_claim c "
        'WHERE c.kind = %s AND c.value = v.value AND c.node_id = n.id AND c."index" < %s) ORDER BY n.id'
    )
    return [row[0] for row in fetch(sql, [*listed, *texts, ClaimKind.ROLE, size])]


def statuses(ids: Collection[int], size: int, at_us: int) -> dict[int, str]:
    """The status of each node as of that tree size and time; one that was never judged is unverified."""
    table, listed = id_table(ids)
    join, joined = status_join(Moment(size, at_us), "r.id")
    sql = f"SELECT r.id, COALESCE(s.status, 'unverified') FROM {table} r {join}"
    return dict(fetch(sql, [*listed, *joined]))


def with_reasons(ids: Collection[int], moment: Moment) -> dict[int, tuple[str, ...]]:
    """Of these nodes those whose status has reasons, with them."""
    table, listed = id_table(ids)
    sql = (
        "SELECT s.node_id, s.reasons FROM graph_status s "
        f"WHERE s.node_id IN {table} AND s.reasons <> '' AND s.from_index < %s "
        "AND (s.to_index IS NULL OR %s <= s.to_index) AND s.from_us <= %s AND %s < s.until_us"
    )
    params = [*listed, moment.size, moment.size, moment.at_us, moment.at_us]
    return {number: tuple(reasons.split(",")) for number, reasons in fetch(sql, params)}
