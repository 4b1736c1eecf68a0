"""Passwords, tokens and signatures inside texts that users of MLflow wrote, replaced by `***`.

Owns: which parts of a text are secrets. What is masked never enters a record, so that a password changed
later is no change; the same text is always masked in the same way, and masking twice changes nothing.
Does not own: the platform's own credentials, which no text of ours holds.
"""

from __future__ import annotations

import re

MASK = "***"

_WORDS = (
    "passwords?|passwd|passphrase|passcode|pwd|pass|secrets?|credentials?|authorization|signature|sig|api[-_]?keys?"
    "|(?:access|account|secret|private|encryption|signing|subscription|service|master|session|auth|client|shared"
    "|storage|user|admin|deploy|ssh)[-_]?keys?|(?:aws)?access[-_]?key[-_]?id|sharedaccesskey"
    "|sharedaccesssignature|sas(?:[-_]?token)?|(?:connection[-_]?string)|connstr|key[-_]?secret"
)
_SPECIAL = frozenset({
    "pad", "eos", "bos", "unk", "mask", "sep", "cls", "special", "stop", "start", "end", "begin", "image",
    "audio", "video", "vision", "speech", "next", "last", "first", "decoder", "encoder", "forced", "num",
    "max", "min", "per", "prompt", "completion", "input", "output", "total", "prefix", "suffix", "middle",
    "fill", "new", "context", "word", "by", "each", "use", "mean", "avg", "sub", "byte", "char", "text",
    "placeholder", "separator", "boundary", "tool", "think", "reasoning", "null", "blank", "empty", "class",
    "label", "task", "lang", "language", "sos", "eot", "eod", "bot", "eom", "pooling", "current", "cached",
})  # fmt: skip
"""What stands before `token` in a model's vocabulary or budget, where it means no credential."""

_SECRET_NAME = re.compile(rf"(?:^|[^a-z])(?:{_WORDS})$|(?:^|[^a-z])key$", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SIGNED_URL_NAME = re.compile(r"x-(?:amz|goog)-.*", re.IGNORECASE)
_SAS_NAMES = frozenset({
    "sv", "ss", "srt", "sr", "se", "st", "sp", "spr", "sip", "si", "skoid", "sktid", "skt", "ske", "sks",
    "skv", "saoid", "suoid", "scid",
})  # fmt: skip

_USER = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]{0,60})://"
    r"(?P<user>[^\s/?#\"'<>]*(?=@)"  # up to the last @ of the authority
    r"|[^\s/?#@:\"'<>\[\]]*:(?![0-9]+(?:[/?#]|$))[^\s\"'<>]*(?=@)"  # a password with / or ? in it
    r"|:[^\s\"'<>]*(?=@))@"  # no user: there is no address without a host
)
_PLAIN_USERS = frozenset({"abfs", "abfss", "wasb", "wasbs", "ssh", "git+ssh", "sftp", "svn+ssh"})
"""Schemes whose part before the `@`, where there is no password, is a container or login name."""

_ORACLE = re.compile(r"(jdbc:oracle:[a-z0-9]{1,20}:)[^\s@/\"']{0,200}/[^\s@]{0,500}@", re.IGNORECASE)
_CONNECTION = re.compile(
    r"(?P<before>(?:^|[;?{(\"'])[ \t]*)(?P<name>[A-Za-z][\w .\-]{0,60}?)(?P<is>[ \t]*=[ \t]*)"
    r"(?P<value>\{(?:[^}]|\}\}){0,2000}\}|[^;\"'\n]{1,2000})(?=;)"
    r"|(?P<before2>;[ \t]*)(?P<name2>[A-Za-z][\w .\-]{0,60}?)(?P<is2>[ \t]*=[ \t]*)"
    r"(?P<value2>\{(?:[^}]|\}\}){0,2000}\}|[^;\"'\n]{1,2000})"
)
_PAIR = re.compile(
    r"(?<![\w.\-])(?P<name>-{0,2}[\w.\-]{1,80})(?P<is>[ \t]*=[ \t]*)"
    r"(?P<value>\\?\"(?:[^\"\\]|\\[^\"]){0,4000}\\?\"|'[^'\n]{0,4000}'|[^\s&;,\"'<>)}\]#]{1,4000})"
)
_QUOTED = re.compile(
    r"(?P<name>\\?[\"'][\w .\-]{1,80}\\?[\"'])(?P<is>\s{0,4}:\s{0,4})"
    r"(?P<value>\\?\"(?:[^\"\\]|\\.){0,4000}\"|'[^'\n]{0,4000}')"
)
_LABELLED = re.compile(
    r"(?<![\w.\-])(?P<name>[\w.\-]{1,80})(?P<is>:[ \t]+)(?P<value>[^\s,;\"'{}\[\]]{1,4000})"
)
_OPTION = re.compile(r"(?<!\S)(?P<name>--?[A-Za-z][\w\-]{0,80})(?P<is>[ \t]+)(?P<value>[^\s\-][^\s]{0,4000})")
_HEADER = re.compile(
    r"(?P<name>\b(?:bearer|basic)[ \t]+)(?P<value>[A-Za-z0-9._~+/\-]{8,4000}=*)", re.IGNORECASE
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
_MAYBE = re.compile(
    r"[=@:]|(?<!\S)--?[A-Za-z]|bearer|basic|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|hf_|sk-|xox|dapi|AIza|lin_"
    r"|eyJ|-----BEGIN",
    re.IGNORECASE,
)
"""What every text with a secret that is recognised here has in it."""


def secret_name(name: str) -> bool:
    """True where a value of this name is a secret: `db_password`, `apiKey`, `HF_TOKEN`, not `eos_token`."""
    name = name.strip("-\\\"' \t")
    if _SIGNED_URL_NAME.fullmatch(name):
        return True
    words = _CAMEL.sub("_", name).lower()
    if words.endswith("token"):
        return not set(re.split(r"[^a-z]+", words)) & _SPECIAL
    return bool(_SECRET_NAME.search(words)) or bool(_SECRET_NAME.search(name))


def url(value: str) -> str:
    """`value` with user info and secrets of queries and connection strings masked; any text will do."""
    if not _MAYBE.search(value):
        return value
    value = _USER.sub(_user, value)
    value = _ORACLE.sub(rf"\g<1>{MASK}@", value)
    value = _CONNECTION.sub(_connection, value)
    sas = bool(re.search(r"[?&]sig=", value, re.IGNORECASE))
    return _PAIR.sub(lambda found: _pair(found, sas=sas), value)


def text(value: str) -> str:
    """`value` masked as `url` does; credentials in JSON, headers and command lines, known tokens, too."""
    if not _MAYBE.search(value):
        return value
    value = url(_SHAPES.sub(MASK, value))
    for form in (_QUOTED, _LABELLED, _OPTION):
        value = form.sub(_pair, value)
    return _HEADER.sub(rf"\g<name>{MASK}", value)


def named(name: str, value: str) -> str:
    """The value of a param or tag: `***` where the name says that it is a secret, else `text(value)`."""
    return MASK if value and secret_name(name) else text(value)


def _user(found: re.Match[str]) -> str:
    user = found["user"]
    if not user or (":" not in user and found["scheme"].lower() in _PLAIN_USERS):
        return found[0]
    return f"{found['scheme']}://{MASK}@"


def _connection(found: re.Match[str]) -> str:
    end = "" if found["name"] is not None else "2"
    if not secret_name(found[f"name{end}"]):
        return found[0]
    return f"{found[f'before{end}']}{found[f'name{end}']}{found[f'is{end}']}{MASK}"


def _pair(found: re.Match[str], *, sas: bool = False) -> str:
    name = found["name"]
    if not (secret_name(name) or (sas and name.lower() in _SAS_NAMES)):
        return found[0]
    value = found["value"]
    quote = re.match(r"\\?[\"']", value)
    masked = f"{quote[0]}{MASK}{quote[0]}" if quote else MASK
    return f"{name}{found['is']}{masked}"
