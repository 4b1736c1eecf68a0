"""Pages of keys: the list, and one key with its scopes, validity, revocations and what it signed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage.db.configuration import User
from lineage.errors import NotFoundError
from lineage.graph.model import NodeKind, signer_key
from lineage.services import key_records, records
from lineage.services.key_records import KeyRecord
from lineage.trust.leaf import rfc3339
from lineage.web import artifact_decisions
from lineage.web.downloads import csv_response
from lineage.web.pages import Page

CSV_HEADER = (
    "key_id",
    "name",
    "role",
    "algorithm",
    "state",
    "not_before",
    "not_after",
    "registered_at",
    "signed",
)
ENTRIES_SHOWN = 50


class Keys(Page):
    section = "keys"
    template_name = "key_list.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        found = key_records.list_keys(self.as_of)
        if request.GET.get("format") == "csv":
            return csv_response("keys", CSV_HEADER, _rows(found))
        return self.render(
            keys=found,
            pipeline_missing=all(key.role != "pipeline" for key in found),
            may_operate=self.person.may(User.Role.OPERATOR) and self.as_of.live,
        )


def _rows(found: list[KeyRecord]) -> Iterator[tuple[object, ...]]:
    for key in found:
        bounds = (key.not_before_us, key.not_after_us, key.registered_us)
        times = ["" if at is None else rfc3339(at) for at in bounds]
        yield (key.key_id, key.name, key.role, key.algorithm, key.state, *times, key.signed)


class Key(Page):
    section = "keys"
    template_name = "key.html"

    def get(self, request: HttpRequest, key_id: str) -> HttpResponseBase:
        key = key_records.get(key_id, self.as_of)
        entries = records.listed(
            self.as_of, signer=key_id, after=request.GET.get("after", ""), limit=ENTRIES_SHOWN
        )
        roots = {root.root_id: root.name for root in key_records.list_roots(self.as_of)} if key.root else {}
        may_operate = self.person.may(User.Role.OPERATOR) and self.as_of.live and key.role == "pipeline"
        digests = records.digests({key.index, *(each.index for each in key.revocations)}, self.as_of)
        return self.render(
            key=key,
            entries=entries,
            root_name=roots.get(key.root, ""),
            **self._incidents(key_id),
            may_operate=may_operate,
            registered_by=digests.get(key.index, ""),
            revocations=[(each, digests.get(each.index, "")) for each in key.revocations],
        )

    def _incidents(self, key_id: str) -> dict[str, Any]:
        """A key that nobody has named yet is in no graph, so no incident can be on it."""
        node = signer_key(key_id)
        try:
            decided = artifact_decisions.context(node, NodeKind.SIGNER, self.as_of, self.person)
        except NotFoundError:
            return {}
        return {"node": {"key": node}, **decided}
