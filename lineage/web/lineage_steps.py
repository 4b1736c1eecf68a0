"""The tree size at which a lineage page last looked otherwise, or next does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from lineage.errors import MalformedError, NotFoundError
from lineage.services import as_of as moments
from lineage.services import closure_steps
from lineage.web.closure_view import ClosureView

NONE: Mapping[str, str] = {
    "previous": "No earlier entry changed a node or link of this lineage.",
    "next": "No later entry changed a node or link of this lineage.",
}


def step(which: str, view: ClosureView) -> int | None:
    """None where nothing changed before, or after.

    Raises: MalformedError for a step that is none, or where there are too many nodes to look at.
    """
    if which not in NONE:
        raise MalformedError("A step is previous or next.", where="step")
    if not view.drawable:
        raise MalformedError(f"{view.total} nodes are too many to look for a change.", where="step")
    if which == "previous":
        size = closure_steps.previous(list(view.lane_nodes), view.as_of.size)
        return size if size is not None and size > view.root.first_index else None
    return _next(view)


def _next(view: ClosureView) -> int | None:
    now = moments.resolve("")
    newest = ClosureView.read(view.asked, replace(now, live=False))
    if not newest.drawable:
        raise MalformedError(f"{newest.total} nodes are too many to look for a change.", where="step")

    def members(size: int) -> Collection[str]:
        at = moments.resolve(str(size))
        try:
            return list(ClosureView.read(view.asked, at).lane_nodes)
        except NotFoundError:
            return ()

    return closure_steps.following(list(newest.lane_nodes), view.as_of, now.projected, members)
