"""The questions that pages, the REST interface and the command line ask of the graph: one room's front door.

Owns nothing itself; each question is answered by the module of its noun.
"""

from lineage.services.gaps import gaps
from lineage.services.lineage_closure import closure, paths
from lineage.services.lineage_nodes import search
from lineage.services.lineage_records import (
    CheckAge,
    CheckRecord,
    Closure,
    CopyRecord,
    Counts,
    Detail,
    EdgeRecord,
    ExceptionRecord,
    Gap,
    Mention,
    NameClaim,
    Neighbour,
    NodePage,
    NodeRecord,
    NodeSummary,
    PathRecord,
    TaintSource,
)
from lineage.services.node_record import checks, node
from lineage.services.status_counts import (
    check_age,
    count_changes,
    recent_exceptions,
    role_counts,
    status_counts,
)

__all__ = [
    "CheckAge", "CheckRecord", "Closure", "CopyRecord", "Counts", "Detail", "EdgeRecord", "ExceptionRecord",
    "Gap", "Mention", "NameClaim", "Neighbour", "NodePage", "NodeRecord", "NodeSummary", "PathRecord",
    "TaintSource", "check_age", "checks", "closure", "count_changes", "gaps", "node", "paths",
    "recent_exceptions", "role_counts", "search", "status_counts",
]  # fmt: skip
