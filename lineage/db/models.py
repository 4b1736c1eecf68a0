"""The tables, by class of store (see docs/concepts.md): truth, rebuilt from it, configuration.

Owns: columns, indexes, uniqueness. Does not own: any rule about what may be written; that is in
`lineage.services`. Digests are lowercase hex without an algorithm name unless said otherwise; times
are microseconds since the epoch, UTC (`…_us`), because SQLite has no such type and order must be exact.
"""

from lineage.db.access import AccessRecord
from lineage.db.archive import ArchiveCollection, ArchiveGitoid, ArchiveState, ArchiveSubject
from lineage.db.audits import LogAudit
from lineage.db.configuration import ApiToken, Refusal, RefusalCount, User
from lineage.db.forgetting import Redaction
from lineage.db.graph import (
    Check,
    Claim,
    Copy,
    Edge,
    Node,
    ProjectionState,
    SkippedEntry,
    StatusInterval,
    Support,
)
from lineage.db.graph_queries import GraphQuery
from lineage.db.jobs import Job, JobStep, WorkerBeat
from lineage.db.log import (
    Checkpoint,
    Entry,
    EntrySigner,
    EntrySubject,
    Envelope,
    LogHead,
    PredicateType,
    Signer,
    Tile,
)
from lineage.db.proposals import Proposal
from lineage.db.sources import Source, SourceObject, SourceProblem, SourceState
from lineage.db.storage import Storage, StorageState, StorageSweep, Subscription
from lineage.db.taint import Taint, TaintState
from lineage.db.witnesses import Cosignature, WitnessState

__all__ = [
    "AccessRecord",
    "ApiToken",
    "ArchiveCollection",
    "ArchiveGitoid",
    "ArchiveState",
    "ArchiveSubject",
    "Check",
    "Checkpoint",
    "Claim",
    "Copy",
    "Cosignature",
    "Edge",
    "Entry",
    "EntrySigner",
    "EntrySubject",
    "Envelope",
    "GraphQuery",
    "Job",
    "JobStep",
    "LogAudit",
    "LogHead",
    "Node",
    "PredicateType",
    "ProjectionState",
    "Proposal",
    "Redaction",
    "Refusal",
    "RefusalCount",
    "Signer",
    "SkippedEntry",
    "Source",
    "SourceObject",
    "SourceProblem",
    "SourceState",
    "StatusInterval",
    "Storage",
    "StorageState",
    "StorageSweep",
    "Subscription",
    "Support",
    "Taint",
    "TaintState",
    "Tile",
    "User",
    "WitnessState",
    "WorkerBeat",
]
