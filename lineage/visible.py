"""Characters of signers' texts that nobody sees, or that turn the text around them: shown as what they are.

Owns: which they are, and their form: `⟨U+202E⟩`. What is stored, sent as JSON or downloaded keeps them. Does
not own: markup (templates escape it).
Source: UAX #9 (explicit directional formatting); Unicode Technical Report #36, section 2.
"""

from __future__ import annotations

import json
import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Controls but tab and line feed, directions, line separators, what has no width; not joiners of letters."""
_UNSEEN_UTF8 = re.compile(
    rb"[\x00-\x08\x0b\x0e-\x1f\x7f]|\xc2[\x80-\x9f\xad]|\xd8\x9c|\xe2\x80[\x8b\x8e\x8f\xa8-\xae]"
    rb"|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xef\xbf[\xb9-\xbb]|\xf3\xa0[\x80\x81][\x80-\xbf]"
)
"""The same in UTF-8, but form feed and carriage return, which are white space of HTML."""


def text(said: str) -> str:
    """For a terminal: no escape sequence, no line that begins again, no text that runs backwards."""
    return _UNSEEN.sub(lambda found: _named(found.group()), said)


def json_text(said: str) -> str:
    """A JSON document with those characters escaped: where such may stand at all, it is inside strings."""
    return _UNSEEN.sub(lambda found: json.dumps(found.group())[1:-1].replace("\x7f", "\\u007f"), said)


def html(page: bytes) -> bytes:
    """A page in UTF-8, all of whose markup is the templates' own."""
    return _UNSEEN_UTF8.sub(lambda found: _named(found.group().decode()).encode(), page)


def _named(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"
