"""Whether what is kept of witnesses is what they signed: for the audit, and for a log that is restored.

A cosignature is verified before it is kept. Afterwards whoever writes to the database, or made the archive,
can have put another there, and it is served with the checkpoint. Owns: verifying them again. Does not own:
asking for them (`witnesses`), or checkpoints.
"""

from __future__ import annotations

from lineage.config import current
from lineage.db.models import Checkpoint, Cosignature
from lineage.errors import LineageError, LogIntegrityError
from lineage.trust import checkpoint as notes
from lineage.trust import cosignature


def judge(note: bytes, row: Cosignature) -> bool:
    """True where the witness signed this checkpoint; False: its key is not configured, nobody here can tell.

    Raises: LogIntegrityError where it did not, or where what is stored beside the line is not what it says.
    """
    line, what = bytes(row.line), f"the cosignature by {row.witness} of the checkpoint at {row.size}"
    _agrees(line, row, what)
    for each in current().witnesses:
        if (each.name, each.key_hash) != (row.witness, row.key_hash):
            continue
        try:
            found = cosignature.answered(note, line, cosignature.parse_witness_key(each.verifier_key))
        except LineageError as error:
            raise LogIntegrityError(f"{what} does not verify: {error.message}") from None
        if found.line != line:
            raise LogIntegrityError(f"what is stored beside {what} is not what it says")
        return True
    return False


def _agrees(line: bytes, row: Cosignature, what: str) -> None:
    """It is one signature line, of the witness and time that the columns name."""
    try:
        name, signature = notes.signature_line(line.decode("utf-8").removesuffix("\n"))
    except (LineageError, UnicodeDecodeError):
        raise LogIntegrityError(f"{what} is no signature line") from None
    at_us = int.from_bytes(signature[4:12], "big") * 1_000_000
    said = (name, signature[:4].hex(), at_us)
    if not line.endswith(b"\n") or said != (row.witness, row.key_hash, row.at_us):
        raise LogIntegrityError(f"what is stored beside {what} is not what it says")


def check_all() -> int:
    """Judge each that is kept; returns how many could not be verified, their witness not being configured.

    Raises: LogIntegrityError for the first that is wrong, or of a checkpoint that is not there.
    """
    strangers = 0
    for row in Cosignature.objects.order_by("size", "witness", "key_hash").iterator():
        note = Checkpoint.objects.filter(pk=row.size).values_list("note", flat=True).first()
        if note is None:
            raise LogIntegrityError(f"a cosignature is of a checkpoint at {row.size}, which is not there")
        strangers += not judge(bytes(note), row)
    return strangers
