"""Text from statements as the log's tables hold it, to be found again by.

The tables are an index over the payload, whose own bytes stay as they were signed. A statement may say
anything that JSON can; a database refuses U+0000, and its indexes take some 2,700 bytes.
"""

from __future__ import annotations

from lineage.predicates.wire import clean
from lineage.trust.digest import sha256_hex

MAX_BYTES = 2_000


def indexed(text: str) -> str:
    """`text` in an indexed column. One that is too long keeps its beginning and the SHA-256 of the whole.

    Whoever looks for a text looks for this, so that long ones are found too, and none for another.
    """
    text = clean(text)
    if len(text) <= MAX_BYTES // 4:  # surely fits
        return text
    data = text.encode()
    if len(data) <= MAX_BYTES:
        return text
    end = f"…sha256:{sha256_hex(data)}"
    return data[: MAX_BYTES - len(end.encode())].decode(errors="ignore") + end
