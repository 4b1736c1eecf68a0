"""What every page's template knows: the navigation, and what the as-of form must keep."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from lineage.config import current
from lineage.db.configuration import User
from lineage.services import audit_condition, high_water


@dataclass(frozen=True, slots=True)
class Item:
    """One link of the navigation; `page` is a URL name, `role` who sees it.

    `operation`: in the menu of what keeps the installation running, beside what it records.
    """

    page: str
    title: str
    role: str = User.Role.AUDITOR
    operation: bool = False


NAVIGATION = (
    Item("today", "Today"),
    Item("models", "Models"),
    Item("datasets", "Datasets"),
    Item("runs", "Runs"),
    Item("hardware-list", "Hardware"),
    Item("attestations", "Attestations"),
    Item("changes", "Changes"),
    Item("keys", "Keys"),
    Item("log", "Log"),
    Item("incidents", "Incidents", operation=True),
    Item("sources", "Sources", operation=True),
    Item("locations", "Locations", operation=True),
    Item("layouts", "Layouts", operation=True),
    Item("check-policy", "Check policy", operation=True),
    Item("forgetting", "Forgetting", operation=True),
    Item("jobs", "Jobs", operation=True),
    Item("subscriptions", "Subscriptions", User.Role.OFFICER, operation=True),
    Item("proposals", "Proposals", operation=True),
    Item("system", "System", operation=True),
    Item("refusals", "Refusals", User.Role.OPERATOR, operation=True),
    Item("cypher", "Cypher", User.Role.OPERATOR, operation=True),
    Item("tokens", "API keys", User.Role.OPERATOR, operation=True),
    Item("accesses", "Who looked", User.Role.OPERATOR, operation=True),
)


def page(request: HttpRequest) -> dict[str, object]:
    """`navigation` and `operation` as this person sees them; `kept_query` is without moment and page.

    `rolled_back`, `damaged`: why nothing that is shown as verified is to be relied on now, "" where nothing
    is wrong.
    """
    kept = [
        (name, value)
        for name, values in request.GET.lists()
        for value in values
        if name not in ("as_of", "after")
    ]
    user = getattr(request, "user", None)
    oidc = current().people.oidc
    allowed = [item for item in NAVIGATION if isinstance(user, User) and user.may(item.role)]
    return {
        "navigation": [item for item in allowed if not item.operation],
        "operation": [item for item in allowed if item.operation],
        "kept_query": kept,
        "sign_in_service": oidc.name if oidc else "",
        "rolled_back": high_water.warning() if isinstance(user, User) else "",
        "damaged": audit_condition.damage() if isinstance(user, User) else "",
    }
