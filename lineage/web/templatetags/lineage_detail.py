"""Tags and filters of the pages of one node and its lineage: `{% load lineage_detail %}`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from lineage.graph.lanes import LaneNode
from lineage.graph.model import signer_id, signer_key
from lineage.web.lineage_query import Asked, Direction

register = template.Library()

_OUTCOMES = {
    "match": ("verified", "Matches"),
    "mismatch": ("failed", "Differs"),
    "overdue": ("expired", "Overdue"),
    "never-checked": ("unverified", "Never checked"),
    "": ("unverified", "Not checked"),
}
_DIGESTS = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{64}(?![0-9a-zA-Z])")
_INCONCLUSIVE = ("unverified", "Inconclusive")


@register.simple_tag(takes_context=True)
def lineage_url(context: template.Context, key: str, direction: Direction) -> str:
    """`{% lineage_url node.key "descendants" %}`: its lineage page, at the page's as-of moment."""
    return Asked(key, direction, as_of=str(context.get("as_of_text") or "")).url()


@register.simple_tag(takes_context=True)
def lineage_way(context: template.Context, key: str, cause: str) -> str:
    """`{% lineage_way node.key root.key %}`: its lineage page with the ways to one of its causes alone."""
    return Asked(key, focus=cause, isolate=True, as_of=str(context.get("as_of_text") or "")).url()


@register.simple_tag(takes_context=True)
def compared_url(
    context: template.Context, name: str, first: str, other: str = "", more: Sequence[str] | None = None
) -> str:
    """`{% compared_url "in-common" node.key other.key others %}`: the first beside the others, each once."""
    others = dict.fromkeys(key for key in (*(more or ()), other) if key)
    query = [("with", key) for key in others]
    query += [("as_of", moment)] if (moment := str(context.get("as_of_text") or "")) else []
    return reverse(name, args=[first]) + (f"?{urlencode(query)}" if query else "")


@register.simple_tag(takes_context=True)
def model_url(context: template.Context, source: str, name: str) -> str:
    """The page of a registered model, at the page's as-of moment.

    Browsers take `.`, `..` and empty parts out of a path, so names with such parts are parameters.
    """
    query = {}
    if any(part in ("", ".", "..") for part in name.split("/")):
        url, query["name"] = reverse("source-model-named", args=[source]), name
    else:
        url = reverse("source-model", args=[source, name])
    if moment := str(context.get("as_of_text") or ""):
        query["as_of"] = moment
    return f"{url}?{urlencode(query)}" if query else url


@register.simple_tag
def storage_url(name: str) -> str:
    """`{% storage_url copy.storage %}`: the page of a storage, which is as it stands now."""
    return reverse("location", args=[name])


@register.simple_tag(takes_context=True)
def wall_squares(context: template.Context, nodes: Sequence[LaneNode]) -> SafeString:
    """A link a node, in one go: a template loop over 10,000 of them would take a second."""
    start = reverse("node", args=["-"])[:-1]
    moment = context.get("as_of_text", "")
    query = "?" + urlencode({"as_of": moment}) if moment else ""
    return format_html_join(
        "\n",
        '<a href="{}{}{}" data-status="{}" title="{}"></a>',
        ((start, node.key, query, _colour(node), _square_title(node)) for node in nodes),
    )


def _colour(node: LaneNode) -> str:
    return "tainted" if node.tainted else node.status


def _square_title(node: LaneNode) -> str:
    return f"{node.name or node.key}: {node.status}{', tainted' if node.tainted else ''}"


@register.filter
def digests_short(text: str) -> str:
    """A text with the middles of the SHA-256 digests in it left out; put the whole in a title."""
    return _DIGESTS.sub(lambda found: f"{found[0][:6]}…{found[0][-4:]}", text)


@register.filter
def outcome_status(outcome: str | None) -> str:
    """The status whose colour a check's outcome takes; none yet is unverified."""
    return _OUTCOMES.get(outcome or "", _INCONCLUSIVE)[0]


@register.filter
def outcome_word(outcome: str | None) -> str:
    return _OUTCOMES.get(outcome or "", _INCONCLUSIVE)[1]


@register.filter
def signer_node(key_id: str) -> str:
    """The node key of a key or identity with that id."""
    return signer_key(key_id)


@register.filter
def key_id(signer: str) -> str:
    """The id in a signer's node key: of a key its hex, of an identity `identity:<hex>`."""
    return signer_id(signer)
