"""Tags and filters for every page: `{% load lineage_ui %}`.

Owns: how a moment, a digest, a status or a link looks. Does not own: what they are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from lineage.graph.model import signer_id
from lineage.services import job_kinds
from lineage.web import reasons, words

register = template.Library()

SPRITE = "vendor/tabler-icons-3.52.0/sprite.svg"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHORTEN_ABOVE = 24
ONE_LINE = 72
"""Characters of a command that is shown on one line."""
HEX = frozenset("0123456789abcdef")


@cache
def _sprite() -> str:
    """The sprite's address: looked up once, a page has hundreds of icons."""
    return static(SPRITE)


@register.simple_tag
def icon(name: str) -> SafeString:
    """`{% icon "check" %}`: an icon of the sprite, hidden from assistive technology: put a word beside it."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', _sprite(), name)


@register.filter
def moment(value: int | str | datetime | None) -> SafeString | str:
    """A `<time>` in UTC from microseconds since the epoch, RFC 3339 or an aware datetime; a dash for None."""
    if value is None or value == "":
        return "—"
    if isinstance(value, int):
        at = EPOCH + timedelta(microseconds=value)
    else:
        at = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
    text = at.strftime("%d %b %Y %H:%M").lstrip("0")
    return format_html(
        '<time datetime="{}" title="{}">{} UTC</time>',
        at.isoformat().replace("+00:00", "Z"),
        at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        text,
    )


def plain_moment(at_us: int) -> str:
    """The same without markup, from microseconds since the epoch."""
    return f"{EPOCH + timedelta(microseconds=at_us):%d %b %Y %H:%M} UTC".lstrip("0")


@register.filter
def age(then_us: int, at_us: int) -> str:
    """How long before `at_us` something was (both microseconds), in its largest unit: `3 hours`."""
    return span(max(0, at_us - then_us) // 1_000_000)


@register.filter
def span(seconds: int) -> str:
    """So many seconds in their largest unit, rounded down: `3 hours`."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


@register.filter
def pace(seconds: int) -> str:
    """How often something is done that is done after so many seconds: `every 3 hours`, `every day`."""
    return f"every {span(seconds).removeprefix('1 ')}"


@register.filter
def job_title(kind: str) -> str:
    """What jobs of a kind do."""
    return job_kinds.title(kind)


@register.filter
def spaced(name: str) -> str:
    """A name of JSON as words: `refusals_emptied` → `refusals emptied`."""
    return name.replace("_", " ")


@register.filter
def told(result: dict[str, Any]) -> list[tuple[str, Any]]:
    """What a job's result says: its members by name, without those that are an empty text."""
    return [(name, value) for name, value in sorted(result.items()) if value != ""]


@register.filter
def change_words(change: int | None) -> str:
    """A difference to yesterday: `+3 since yesterday`; None where there was nothing yesterday."""
    if change is None:
        return "no comparison yet"
    return f"{change:+d} since yesterday" if change else "as yesterday"


@register.filter
def command_lines(command: str) -> str:
    """A long command with each option on a line of its own, as a shell takes it."""
    return command if len(command) <= ONE_LINE else command.replace(" --", " \\\n  --")


@register.filter
def short(digest: str) -> str:
    """A digest or key with its middle left out: `sha256:9f2c41…e07b`; anything else as it is."""
    scheme, separator, value = digest.rpartition(":")
    if len(value) <= SHORTEN_ABOVE or not set(value) <= HEX:
        return digest
    return f"{scheme}{separator}{value[:6]}…{value[-4:]}"


@register.filter
def status_of(slug: str) -> words.Status:
    """How a status slug, or `tainted`, is shown."""
    return words.TAINTED if slug == "tainted" else words.STATUSES[slug]


@register.filter
def key_status(state: str) -> str:
    """The status slug in whose colour a key's state is shown."""
    return words.KEY_STATES[state].slug


@register.filter
def key_word(state: str) -> str:
    return words.KEY_STATES[state].word


@register.filter
def key_icon(state: str) -> str:
    return words.KEY_STATES[state].icon


@register.filter
def reason(slug: str, kind: str = "") -> str:
    """`{{ slug|reason:node.kind }}`: a sentence for a reason slug, right for that kind of node."""
    return reasons.sentence(slug, kind)


@register.filter
def taint(slug: str) -> str:
    """The beginning of a sentence that a taint source's name ends."""
    return reasons.TAINTS.get(slug, reasons.sentence(slug) + ":")


@register.filter
def trust_of(node: Any) -> str:
    """What stands behind a node summary or record, in words."""
    return words.trust(node.trust, node.reasons)


@register.filter
def last_part(name: str) -> str:
    """What a path says after its last "/", where there is room for that alone; put the whole in a title."""
    return name.rpartition("/")[2] or name


@register.filter
def breakable(name: str) -> SafeString:
    """A name that may go on in the next line after each "/", rather than in the middle of a word."""
    *folders, last = name.split("/")
    return format_html("{}{}", format_html_join("", "{}/<wbr>", ((folder,) for folder in folders)), last)


@register.filter
def trust_words(slug: str) -> str:
    return words.TRUST.get(slug, slug)


@register.filter
def kind_word(node: Any) -> str:
    """What a node summary is called: its roles, or its kind."""
    return ", ".join(node.roles).capitalize() if node.roles else words.KINDS.get(node.kind, node.kind)


@register.filter
def kind_icon(node: Any) -> str:
    """The icon's name for a node summary."""
    names = (*node.roles, node.kind)
    return next((words.KIND_ICONS[name] for name in names if name in words.KIND_ICONS), "file")


def with_moment(context: template.Context, url: str) -> str:
    """`url` with the page's as-of moment, so that following a link stays in the past that is shown."""
    text = context.get("as_of_text", "")
    return f"{url}?{urlencode({'as_of': text})}" if text else url


@register.simple_tag(takes_context=True)
def here(context: template.Context, **changes: object) -> str:
    """`{% here after=page.next %}`: the page's own address with parameters set, or dropped by None."""
    request: HttpRequest = context["request"]
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"{request.path}?{query.urlencode()}" if query else request.path


@register.simple_tag(takes_context=True)
def page_url(context: template.Context, name: str, *args: str) -> str:
    """`{% page_url "artifact" node.key %}`: like `url`, but stays at the page's as-of moment."""
    return with_moment(context, reverse(name, args=args) if args else _address(get_script_prefix(), name))


@cache
def _address(prefix: str, name: str) -> str:
    """Of a page without arguments: looked up once, each page has twenty. `prefix`: what it begins with."""
    return reverse(name)


@register.simple_tag(takes_context=True)
def node_url(context: template.Context, node: Any) -> str:
    """The page of a node summary or record, by its kind, at the page's as-of moment."""
    name = node.kind if node.kind in ("artifact", "run") else "node"
    if node.kind == "signer":
        return with_moment(context, reverse("key", args=[signer_id(node.key)]))
    return with_moment(context, reverse(name, args=[node.key]))
