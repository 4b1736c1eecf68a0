"""Passwords, tokens and signatures inside texts that users of MLflow wrote, replaced by `***`.

Owns: which parts of a text are secrets. What is masked never enters a record, so that a password changed
later is no change; the same text is always masked in the same way, and masking twice changes nothing.
Does not own: the platform's own credentials, which no text of ours holds.

Texts are at most some ten thousand characters, and hostile: every repetition below is bounded or possessive.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

MASK = "***"

_SECRET_NAME = re.compile(
    r"""(?:^|.*?[^a-z])(?:
        pwd | passphrase | passcode | pass(?:word)?s? | credentials? | authorization | api[-_]?keys?
        | (?:access|account|secret|private|encryption|signing|subscription|service|master|session|auth|client
            |shared|storage|user|admin|deploy|ssh|shared[-_]?access|license)[-_]?keys?
        | (?:aws[-_]?)?access[-_]?key[-_]?id | sharedaccesssignature | connection[-_]?string | conn[-_]?str
    )
    | .*(?:password|passwd|secret)s?""",
    re.VERBOSE,
)
_HARMLESS_NAME = re.compile(
    r".*[^a-z](?:first|second|single|multi|num|n|one|two|forward|backward)[-_]?pass(?:es)?"
)
_NOT_CREDENTIALS = frozenset({
    "pad", "eos", "bos", "unk", "mask", "sep", "cls", "special", "stop", "start", "end", "begin", "image",
    "audio", "video", "vision", "speech", "next", "last", "first", "decoder", "encoder", "forced", "num", "n",
    "max", "min", "per", "prompt", "completion", "input", "output", "total", "prefix", "suffix", "middle",
    "fill", "new", "context", "word", "by", "each", "use", "mean", "avg", "sub", "byte", "char", "text",
    "placeholder", "separator", "boundary", "tool", "think", "reasoning", "null", "blank", "empty", "class",
    "label", "task", "lang", "language", "sos", "eot", "eod", "bot", "eom", "pooling", "current", "cached",
    "count", "loss", "accuracy", "length", "rate", "latency", "time", "cost", "price", "speed",
})  # fmt: skip
"""What stands before `token` in a model's vocabulary or budget."""

_IN_QUERIES = re.compile(r"key|sig|signature|code|x-(?:amz|goog|oss|cos|ms)-[a-z-]+", re.IGNORECASE)
"""Names that mean a secret in a query alone."""

_SAS_NAMES = frozenset({
    "sv", "ss", "srt", "sr", "se", "st", "sp", "spr", "sip", "si", "skoid", "sktid", "skt", "ske", "sks",
    "skv", "saoid", "suoid", "scid",
})  # fmt: skip
"""Beside a `sig`, of a shared access signature of Azure."""

_QUOTE = re.compile(r"\\?[\"']")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_USER = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]{0,60}:\\?/\\?/|(?<![\w:/\\])//)"
    r"(?P<user>[^\s/?#\"'<>]*(?=@)"  # up to the last @ of the authority
    r"|[^\s/?#@:\"'<>\[\]]*:(?![0-9]+(?:[/?#]|$))[^\s\"'<>]*(?=@)"  # a password with / or ? in it
    r"|:[^\s\"'<>]*(?=@)"  # no user: no address begins so
    r"|(?<!http://)(?<!https://)[^\s/?#@:\"'<>\[\]]+:[0-9]+/[^\s/\"'<>]*(?=@))@"
)
_ENCODED_USER = re.compile(r"(%3A(?:%2F){2})(?:(?!%2F)[^\s&\"'<>@]){1,2000}%40", re.IGNORECASE)
_PLAIN_USERS = frozenset({"abfs", "abfss", "wasb", "wasbs", "ssh", "git+ssh", "sftp", "svn+ssh"})
"""Schemes whose part before the `@`, where there is no password, is a container or login name."""

_ORACLE = re.compile(r"(jdbc:oracle:[a-z0-9]{1,20}:)[^\s@/\"']{0,200}/[^\s@]{0,500}@", re.IGNORECASE)

_CONNECTION = re.compile(r"(?:^|(?<=[;?{(\"'\s]))(?P<name>[A-Za-z][\w .\-]{0,60}?)[ \t]*=[ \t]*")
_CONNECTION_VALUE = re.compile(r"\{(?:[^}]|\}\}){0,2000}+\}(?=;|$)|[^;\"'\n]{1,2000}+(?=;)")
_LAST_CONNECTION_VALUE = re.compile(r"\{(?:[^}]|\}\}){0,2000}+\}|[^;\"'\n]{1,2000}+")
"""Values may have spaces in them; the last one has nothing after it, only another pair before it."""

_TEXT = (  # a quoted text, escaped once more or not; what MLflow cut has no end
    r"\\\"(?:(?!\\\").)*+(?:\\\"|\Z)|\"(?:[^\"\\]|\\.)*+(?:\"|\Z)|'(?:[^'\\\n]|\\.)*+(?:'|\Z|(?=\n))"
)
_PAIR = re.compile(r"(?<![\w.\-])(?P<name>-{0,2}[\w.\-]{1,80})[ \t]*=[ \t]*")
_PAIR_VALUE = re.compile(rf"{_TEXT}|[^\s&;,\"'<>)}}\]#]++", re.DOTALL)
_QUOTED = re.compile(r"(?P<name>\\?[\"'][\w .\-]{1,80}\\?[\"'])\s{0,4}:\s{0,4}")
_QUOTED_VALUE = re.compile(rf"{_TEXT}|[^\s,;\"'{{}}\[\]]++", re.DOTALL)
_LABELLED = re.compile(r"(?<![\w.\-])(?P<name>[\w.\-]{1,80}):[ \t]+")
_LABELLED_VALUE = re.compile(
    rf"(?!(?:bearer|basic|token|digest)\b)(?:{_TEXT}|[^\s,;\"'{{}}\[\]]++)", re.DOTALL | re.IGNORECASE
)
_OPTION = re.compile(r"(?<!\S)(?P<name>--?[A-Za-z][\w\-]{0,80})[ \t]+")
_OPTION_VALUE = re.compile(rf"{_TEXT}|[^\s\-]\S*+", re.DOTALL)
_HEADER = re.compile(
    r"(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:bearer|basic|token|digest)[ \t]+)[^\s\"',;]++"
    r"|(\bbearer[ \t]+)(?=[a-z._~+/\-]*[0-9])[a-z0-9._~+/\-]{16,}+=*",
    re.IGNORECASE,
)
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_\-]{20,}"
    r"|hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_\-]{20,}|xox[abpors]-[A-Za-z0-9\-]{10,}|dapi[0-9a-f]{32}"
    r"|AIza[A-Za-z0-9_\-]{35}|lin_[A-Za-z0-9_\-]{20,})"
    r"|(?<![A-Za-z0-9_\-.])eyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]*",
    re.DOTALL,
)
"""Private keys; tokens of AWS, GitHub, GitLab, Hugging Face, OpenAI, Slack, Databricks, Google, ours; JWT."""

_SIGNS = (
    *("=", "@", ":", "-", "%40", "earer", "EARER"),
    *("AKIA", "ASIA", "AIza", "gh", "hf_", "xox", "dapi", "lin_", "eyJ"),
)
"""Every text with a secret that is recognised here has one of these in it."""


def secret_name(name: str) -> bool:
    """True where a value of this name is a secret: `db_password`, `apiKey`, `HF_TOKEN`, not `eos_token`."""
    name = name.strip("-\\\"' \t")
    words = _CAMEL.sub("_", name).lower()
    if words.endswith("token"):
        return not set(re.split(r"[^a-z]+", words)) & _NOT_CREDENTIALS
    if _HARMLESS_NAME.fullmatch(f" {words}"):
        return False
    return any(_SECRET_NAME.fullmatch(each) for each in {words, name.lower()})


def url(value: str) -> str:
    """`value` with user info and secrets of queries and connection strings masked; any text will do."""
    if not any(sign in value for sign in _SIGNS):
        return value
    value = _ENCODED_USER.sub(rf"\g<1>{MASK}%40", _USER.sub(_user, value))
    value = _ORACLE.sub(rf"\g<1>{MASK}@", value)
    value = _masked(value, _CONNECTION, _connection_value)
    sas = bool(re.search(r"[?&]sig=", value, re.IGNORECASE))
    return _masked(value, _PAIR, lambda found: _queried_value(found, sas=sas))


def text(value: str) -> str:
    """`value` masked as `url` does; credentials in JSON, headers and command lines, known tokens, too."""
    if not any(sign in value for sign in _SIGNS):
        return value
    value = _HEADER.sub(lambda found: f"{found[1] or found[2]}{MASK}", _SHAPES.sub(MASK, value))
    value = url(value)
    for names, values in ((_QUOTED, _QUOTED_VALUE), (_LABELLED, _LABELLED_VALUE), (_OPTION, _OPTION_VALUE)):
        value = _masked(value, names, partial(_value, values=values))
    return value


def named(name: str, value: str) -> str:
    """The value of a param or tag: `***` where the name says that it is a secret, else `text(value)`."""
    return MASK if value and secret_name(name) else text(value)


def _user(found: re.Match[str]) -> str:
    user, scheme = found["user"], found["scheme"].rstrip(":/\\").lower()
    if not user or (":" not in user and scheme in (*_PLAIN_USERS, "")):
        return found[0]
    return f"{found['scheme']}{MASK}@"


def _masked(value: str, names: re.Pattern[str], find: Callable[[re.Match[str]], re.Match[str] | None]) -> str:
    """`value` with what `find` gives for each name replaced; values of other names are searched as well."""
    parts: list[str] = []
    written = at = 0
    while found := names.search(value, at):
        secret = find(found)
        at = found.end()
        if secret is not None:
            quote = _QUOTE.match(secret[0])
            mark = quote[0] if quote else ""
            parts += [value[written:at], mark, MASK, mark]
            written = at = secret.end()
    return "".join([*parts, value[written:]])


def _value(found: re.Match[str], values: re.Pattern[str]) -> re.Match[str] | None:
    return values.match(found.string, found.end()) if secret_name(found["name"]) else None


def _connection_value(found: re.Match[str]) -> re.Match[str] | None:
    last = found.start() > 0 and found.string[found.start() - 1] == ";"
    return _value(found, _LAST_CONNECTION_VALUE if last else _CONNECTION_VALUE)


def _queried_value(found: re.Match[str], *, sas: bool) -> re.Match[str] | None:
    name = found["name"]
    queried = found.start() > 0 and found.string[found.start() - 1] in "?&"
    if queried and (_IN_QUERIES.fullmatch(name) or (sas and name.lower() in _SAS_NAMES)):
        return _PAIR_VALUE.match(found.string, found.end())
    return _value(found, _PAIR_VALUE)
