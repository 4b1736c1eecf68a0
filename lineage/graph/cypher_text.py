r"""What the text of a Cypher question may hold, as far as that can be seen before Neo4j has parsed it.

Owns: the rules that a plan can't be asked about. `EXPLAIN` shows a subquery inside an expression
(`CASE WHEN … THEN COLLECT { LOAD CSV … }`) as part of one operator's details, so that reading a file or
calling a procedure there is no operator of its own; and some loops can't be stopped by the server's time
limit. Does not own: writes and whatever else the plan does show (`cypher_guard`). Pure.

No rule here takes comments, strings or back-ticks apart to decide what is *allowed*: a forbidden word is
refused wherever it stands, and the honest question that has it in a string sends the string as a parameter.
Checked against Neo4j 5.26, whose parser replaces `\uXXXX` anywhere in the text before it reads it.
"""

from __future__ import annotations

import re

from lineage.errors import ForbiddenError, MalformedError

PROCEDURES = (
    "db.info",
    "db.labels",
    "db.ping",
    "db.propertyKeys",
    "db.relationshipTypes",
    "db.schema.nodeTypeProperties",
    "db.schema.relTypeProperties",
    "db.schema.visualization",
)
"""What may be called: procedures that read the graph's own vocabulary and have no effect."""

OPENINGS = ("CALL", "MATCH", "OPTIONAL", "RETURN", "UNWIND", "WITH")
"""How a question begins. Writing clauses are left to the plan, which names the operator."""
WRITES = ("CREATE", "DELETE", "DETACH", "FOREACH", "INSERT", "MERGE", "NODETACH", "REMOVE", "SET")

MOST_LOOPS = 2
"""Loops over lists inside each other: three over a thousand elements each are a thousand million steps."""
MOST_PATTERNS = 20
"""Relationship patterns: with sixty of them the planner alone worked for half a minute, time limit or not."""

_HINT = "Send text as a parameter: WHERE n.name = $name."
_PARAMETER = "Where it is only in a string or comment, leave it out or send the string as a parameter."

_ESCAPE = re.compile(r"\\[uU]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_LOAD = re.compile(r"load.*csv", re.IGNORECASE | re.DOTALL)
_BEFORE = re.compile(r"(?:\s|//[^\r\n]*(?:[\r\n]|\Z)|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"\w+")
_CALLED = re.compile(r"\s*(?:[({]|(?:" + "|".join(map(re.escape, PROCEDURES)) + r")\s*\()")
# Neo4j reads `1CALL` as a number and a word. What comes before or after may only be too strict.
_CALL = re.compile(r"(?<![A-Za-z_])(?:\d\w*)?call(?!\w)", re.IGNORECASE | re.ASCII)
_REDUCE = re.compile(r"(?<![A-Za-z_])reduce(?!\w)", re.IGNORECASE | re.ASCII)
_RANGE = re.compile(r"(?<![A-Za-z_])range(?!\w)", re.IGNORECASE | re.ASCII)
_NUMBER = r"-?\d{1,3}"
_SHORT_RANGE = re.compile(
    rf"\s*\(\s*{_NUMBER}\s*,\s*(?:{_NUMBER}|(?:size|length)\s*\([\w\s.()]{{1,80}}\))"
    rf"(?:\s*[-+]\s*{_NUMBER})?\s*(?:,\s*{_NUMBER}\s*)?\)",
    re.IGNORECASE,
)
_NO_CODE = re.compile(
    r"//[^\r\n]*|/\*.*?\*/|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:``|[^`])*`", re.DOTALL
)
_PATTERN = re.compile(r"-\s*\[|--")
_LOOP = re.compile(r"\s*\w+\s+IN\b", re.IGNORECASE)


def check(text: str) -> None:
    """Refuse a question by its text.

    Raises: ForbiddenError that names what is refused; MalformedError for an empty text or control characters.
    """
    if _CONTROL.search(text):
        raise MalformedError("The query holds a control character.", where="query")
    if _ESCAPE.search(text):
        raise _refused(r"a \u escape, which could spell any word", "Write the character itself. " + _HINT)
    _check_opening(text)
    if _LOAD.search(text):
        raise _refused("LOAD CSV, which reads files and the network", _PARAMETER)
    _check_words(text)
    if "=~" in text:
        raise _refused(
            "the operator =~, because a regular expression can keep the server busy beyond any time limit",
            "Use CONTAINS, STARTS WITH or ENDS WITH. " + _PARAMETER,
        )
    if len(_PATTERN.findall(text)) > MOST_PATTERNS:
        raise _refused(
            f"more than {MOST_PATTERNS} relationship patterns",
            "Ask in several queries, or with a path: -[*1..5]->.",
        )
    if loops(text) > MOST_LOOPS:
        raise _refused(
            f"more than {MOST_LOOPS} loops over lists inside each other, which the server's time limit can't "
            "stop",
            "Use UNWIND, which it can.",
        )


def check_functions(text: str, others: list[str]) -> None:
    """Refuse a text that may call one of `others`: functions that somebody added to the server.

    Each part of such a name in the text is enough, in whatever order and quotes. Raises: ForbiddenError.
    """
    words = {word.casefold() for word in _WORD.findall(text)}
    for name in others:
        if words.issuperset(name.casefold().split(".")):
            raise _refused(f"the function {name}, which is not Neo4j's own", _PARAMETER)


def _refused(what: str, hint: str) -> ForbiddenError:
    return ForbiddenError(f"This page only reads the graph. Refused: {what}.", hint=hint, where="query")


def _check_opening(text: str) -> None:
    start = _BEFORE.match(text)
    rest = text[start.end() :] if start else text
    word = _WORD.match(rest)
    first = word[0].upper() if word else rest[:1]
    if not first:
        raise MalformedError("The query is empty.", where="query")
    if first not in OPENINGS and first not in WRITES:
        raise _refused(
            f"a query that begins with {first[:40]}", f"It begins with one of {', '.join(OPENINGS)}."
        )


def _check_words(text: str) -> None:
    for found in _CALL.finditer(text):
        _check_call(text, found.end())
    if _REDUCE.search(text):
        raise _refused("reduce, which the server's time limit can't stop", "Use UNWIND with sum or collect.")
    for found in _RANGE.finditer(text):
        if not _SHORT_RANGE.match(text, found.end()):
            raise _refused(
                "range with bounds that are no numbers below 1,000",
                "size(x) and length(p) may be the upper one. " + _PARAMETER,
            )


def _check_call(text: str, after: int) -> None:
    if _CALLED.match(text, after):
        return
    name = text[after : after + 60].partition("(")[0].strip()
    raise _refused(
        f"CALL {name}",
        f"Subqueries, CALL {{…}}, and these may be called, with parentheses: {', '.join(PROCEDURES)}. "
        + _PARAMETER,
    )


def loops(text: str) -> int:
    """How many loops over lists stand inside each other: `[x IN l | …]`, `all(x IN l WHERE …)`."""
    code = _NO_CODE.sub("''", text)
    depth = most = 0
    opened: list[bool] = []
    for position, character in enumerate(code):
        if character in "([{":
            looping = bool(_LOOP.match(code, position + 1))
            opened.append(looping)
            depth += looping
            most = max(most, depth)
        elif character in ")]}" and opened:
            depth -= opened.pop()
    return most
