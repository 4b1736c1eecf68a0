"""The truth: log entries, the envelopes that they commit to, tiles and checkpoints. Append-only."""

from __future__ import annotations

from django.db import models

from lineage.db.digest_fields import DigestField, KeyIdsField, SubjectDigestField
from lineage.db.numbered_fields import KindField, PredicateTypeField
from lineage.db.packing import PackedField


class LogHead(models.Model):
    """One row (id 1), locked by whoever appends: where the log stands."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    origin = models.TextField(help_text="C2SP checkpoint origin, random at first start")
    size = models.BigIntegerField(help_text="number of entries = next index")
    last_received_us = models.BigIntegerField()
    policy_index = models.BigIntegerField(
        help_text="newest decision that registers or revokes a key or adopts a policy; -1 before entry 0"
    )

    class Meta:
        db_table = "log_head"

    def __str__(self) -> str:
        return f"{self.origin} at {self.size}"


class Entry(models.Model):
    """One leaf. Never updated, never deleted: triggers refuse both."""

    class Kind(models.TextChoices):
        ATTESTATION = "attestation"
        OBSERVATION = "observation"
        DECISION = "decision"

    index = models.BigIntegerField(primary_key=True)
    kind = KindField()
    envelope_digest = DigestField(unique=True)
    statement_digest = DigestField(db_index=True)
    received_us = models.BigIntegerField(db_index=True)
    key_ids = KeyIdsField(help_text="every key that mathematically verified, sorted, comma-separated")
    policy_index = models.BigIntegerField(help_text="-1 in entry 0 alone")
    leaf_hash = models.BinaryField(max_length=32)
    predicate_type = PredicateTypeField(
        db_column="predicate_type_id", help_text="as scopes see it; an index, not in the leaf"
    )

    class Meta:
        db_table = "log_entry"
        indexes = (
            models.Index(fields=["predicate_type", "index"], name="entry_predicate"),
            models.Index(fields=["kind", "index"], name="entry_kind"),
        )

    def __str__(self) -> str:
        return f"entry {self.index}"


class PredicateType(models.Model):
    """A predicate type that an entry has, under the number that the entry holds. Append-only."""

    id = models.IntegerField(primary_key=True)
    name = models.TextField(unique=True, help_text="as scopes see it, cut where it is too long to be indexed")

    class Meta:
        db_table = "log_predicate_type"

    def __str__(self) -> str:
        return self.name


class Envelope(models.Model):
    """The exact bytes received, or signed by the platform: of one entry, which says their digest."""

    entry = models.OneToOneField(Entry, models.DO_NOTHING, primary_key=True, db_constraint=False)
    content = PackedField()

    class Meta:
        db_table = "log_envelope"

    def __str__(self) -> str:
        return f"envelope of entry {self.entry_id}"


class EntrySubject(models.Model):
    """Which digests an entry is about: an index over the payload. One row a digest of a subject."""

    pk = models.CompositePrimaryKey("entry_id", "position", "digest")
    entry = models.ForeignKey(
        Entry, models.PROTECT, related_name="subjects", db_constraint=False, db_index=False
    )
    position = models.IntegerField(help_text="place of the subject in its statement, from 0")
    digest = SubjectDigestField(db_index=True, help_text="`<alg>:<value>`")
    name = models.TextField(blank=True)

    class Meta:
        db_table = "log_entry_subject"

    def __str__(self) -> str:
        return self.digest


class Signer(models.Model):
    """Whoever has signed an entry, under the number that the index over signers holds. Append-only."""

    id = models.IntegerField(primary_key=True)
    key_id = models.CharField(max_length=80, unique=True, help_text="a key's id, or `identity:<hex>`")

    class Meta:
        db_table = "log_signer"

    def __str__(self) -> str:
        return self.key_id


class EntrySigner(models.Model):
    """Which signers an entry has: its registered keys, and the identities that its certificates stand for."""

    pk = models.CompositePrimaryKey("entry_id", "signer_id")
    entry = models.ForeignKey(
        Entry, models.PROTECT, related_name="signers", db_constraint=False, db_index=False
    )
    signer = models.ForeignKey(Signer, models.PROTECT, related_name="+", db_constraint=False, db_index=False)

    class Meta:
        db_table = "log_entry_signer"
        indexes = (models.Index(fields=["signer", "entry"], name="entry_signer"),)

    def __str__(self) -> str:
        return f"entry {self.entry_id} by {self.signer_id}"


class Tile(models.Model):
    """A full tlog-tiles hash tile: 256 hashes of 32 bytes. Partial tiles are computed at reading."""

    id = models.BigAutoField(primary_key=True)
    level = models.PositiveSmallIntegerField()
    number = models.BigIntegerField()
    hashes = models.BinaryField(max_length=8192)

    class Meta:
        db_table = "log_tile"
        constraints = (models.UniqueConstraint(fields=["level", "number"], name="tile_place"),)

    def __str__(self) -> str:
        return f"tile {self.level}/{self.number}"


class Checkpoint(models.Model):
    """A published signed note (C2SP tlog-checkpoint). The newest is the one of the greatest size."""

    size = models.BigIntegerField(primary_key=True)
    root_hash = models.CharField(max_length=64)
    note = models.BinaryField(help_text="the exact bytes served")
    frontier = models.BinaryField(help_text="hashes of the compact range at this size, 32 bytes each")
    published_us = models.BigIntegerField()

    class Meta:
        db_table = "log_checkpoint"

    def __str__(self) -> str:
        return f"checkpoint at {self.size}"
