"""An entry's digests and key ids lie as bytes, its kind and its predicate type as numbers.

64 characters of each digest stood in a row, and of two in an index; the predicate type stood in both. Both tables that
hold an envelope's digest are made anew and their rows copied; what refers to them, the triggers, goes before and comes
again, in the same transaction. On SQLite the index is a row's place now, so it takes no index of its own, and others
end with it anyway. On PostgreSQL the columns have an order that leaves nothing empty between them, and the index over
statements' digests is by hash: nobody asks for a range of them. See docs/adr/0025-stored-bytes.md.
"""

import re

from django.db import migrations, models

from lineage.db.append_only import AsMany, Step, refuse_postgresql, refuse_sqlite, run
from lineage.errors import LogIntegrityError

_SAME = '"index", received_us, policy_index, leaf_hash'
_NEW = f"{_SAME}, predicate_type_id, kind, envelope_digest, statement_digest, key_ids"
_OLD = f"{_SAME}, predicate_type, kind, envelope_digest, statement_digest, key_ids"
_REDACTION = "id, entry_index, refused, done_us, envelope_digest"
_NUMBER = "CASE kind WHEN 'attestation' THEN 1 WHEN 'observation' THEN 2 WHEN 'decision' THEN 3 END"
_KIND = "CASE kind WHEN 1 THEN 'attestation' WHEN 2 THEN 'observation' WHEN 3 THEN 'decision' END"
_NAMED = (
    "EXISTS (SELECT 1 FROM log_entry d WHERE d.\"index\" = NEW.entry_index AND d.kind = {kind}) "
    "AND EXISTS (SELECT 1 FROM log_entry e WHERE e.envelope_digest = NEW.envelope_digest "
    'AND e.kind <> {kind} AND e."index" < NEW.entry_index)'
)
_BY_NUMBER, _BY_TEXT = _NAMED.format(kind="3"), _NAMED.format(kind="'decision'")

_RENAMES = ("ALTER TABLE log_entry RENAME TO log_entry_old", "ALTER TABLE log_redaction RENAME TO log_redaction_old")
_KEPT = (AsMany("log_entry_old", "log_entry"), AsMany("log_redaction_old", "log_redaction"))
_DROPS = ("DROP TABLE log_entry_old", "DROP TABLE log_redaction_old")
_LIST = (
    'INSERT INTO log_predicate_type (id, name) SELECT row_number() OVER (ORDER BY min("index")), predicate_type '
    "FROM log_entry_old GROUP BY predicate_type"
)
_RECEIVED = "CREATE INDEX log_entry_received_us_07a342f8 ON log_entry (received_us)"
_STATEMENT = "CREATE INDEX log_entry_statement_digest_73878e65 ON log_entry {}(statement_digest)"
_DECISION = "CREATE INDEX redaction_entry ON log_redaction (entry_index)"


def _copy(to_bytes: str) -> tuple[str, str]:
    """`to_bytes`: a call of SQL's with the text in it."""
    digests = ", ".join(to_bytes.format(name) for name in ("envelope_digest", "statement_digest", "key_ids"))
    return (
        f"INSERT INTO log_entry ({_NEW}) SELECT {_SAME}, (SELECT id FROM log_predicate_type "
        f'WHERE name = predicate_type), {_NUMBER}, {digests} FROM log_entry_old ORDER BY "index"',
        f"INSERT INTO log_redaction ({_REDACTION}) SELECT id, entry_index, refused, done_us, "
        f"{to_bytes.format('envelope_digest')} FROM log_redaction_old ORDER BY id",
    )


def _copy_back(to_text: str) -> tuple[str, str]:
    digests = ", ".join(to_text.format(name) for name in ("envelope_digest", "statement_digest", "key_ids"))
    return (
        f"INSERT INTO log_entry ({_OLD}) SELECT {_SAME}, (SELECT name FROM log_predicate_type "
        f'WHERE id = predicate_type_id), {_KIND}, {digests} FROM log_entry_old ORDER BY "index"',
        f"INSERT INTO log_redaction ({_REDACTION}) SELECT id, entry_index, refused, done_us, "
        f"{to_text.format('envelope_digest')} FROM log_redaction_old ORDER BY id",
    )


class _Triggers:
    """SQLite's that name the tables that are made anew: away, and the same again but the one that names a kind."""

    def __init__(self) -> None:
        self._sql: list[str] = []

    def away(self, schema_editor) -> None:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name GLOB 'log_*' ORDER BY rowid"
            )
            found = cursor.fetchall()
        self._sql = [sql for name, sql in found if not name.startswith(("log_predicate_type", "log_redaction_named"))]
        for name, _ in found:
            schema_editor.execute(f"DROP TRIGGER {name}")

    def again(self, schema_editor) -> None:
        for sql in self._sql:
            schema_editor.execute(sql)


_DIGITS = re.compile(r"[0-9a-f]{64}")
_LISTED = re.compile(r"[0-9a-f]{64}(,[0-9a-f]{64})*")


def _to_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(",", ""))


def _to_text(stored: bytes) -> str:
    digits = stored.hex()
    return ",".join(digits[at : at + 64] for at in range(0, len(digits), 64))


def _functions(schema_editor) -> None:
    """SQLite has no function that reads hexadecimal digits."""
    raw = schema_editor.connection.connection
    raw.create_function("to_bytes", 1, _to_bytes, deterministic=True)
    raw.create_function("to_text", 1, _to_text, deterministic=True)


def _none(index: int) -> LogIntegrityError:
    return LogIntegrityError(
        f"entry {index} has a kind, a digest or a key that is none",
        hint="Run `lineage log audit` of the version before this one.",
    )


def _well_formed_sqlite(schema_editor) -> None:
    """What is no digest must not become one, nor be put right: the audit of the version before names it."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute('SELECT "index", kind, envelope_digest, statement_digest, key_ids FROM log_entry')
        for index, kind, envelope, statement, keys in cursor:
            fits = all(type(each) is str for each in (envelope, statement, keys)) and (
                kind in {"attestation", "observation", "decision"}
                and _DIGITS.fullmatch(envelope)
                and _DIGITS.fullmatch(statement)
                and _LISTED.fullmatch(keys)
            )
            if not fits:
                raise _none(index)


def _well_formed_postgresql(schema_editor) -> None:
    """The same: PostgreSQL would read capitals as well."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT \"index\" FROM log_entry WHERE envelope_digest !~ '^[0-9a-f]{64}$' "
            "OR statement_digest !~ '^[0-9a-f]{64}$' OR key_ids !~ '^[0-9a-f]{64}(,[0-9a-f]{64})*$' "
            "OR kind NOT IN ('attestation', 'observation', 'decision') LIMIT 1"
        )
        if found := cursor.fetchone():
            raise _none(found[0])


def _sqlite(named: str, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    triggers = _Triggers()
    return (
        _functions,
        triggers.away,
        *_RENAMES,
        *steps,
        *_KEPT,
        *_DROPS,
        _DECISION,
        _RECEIVED,
        triggers.again,
        "CREATE TRIGGER log_redaction_named BEFORE INSERT ON log_redaction "
        f"WHEN NEW.refused = '' AND NOT ({named}) "
        "BEGIN SELECT RAISE(ABORT, 'log_redaction names no decision about this envelope'); END",
    )


def _postgresql(named: str, once: str, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The table of redactions is converted where it is: it has few rows. `once`: how a digest stands once alone."""
    return (
        _RENAMES[0],
        *steps,
        _KEPT[0],
        _DROPS[0],
        'ALTER TABLE log_entry ADD CONSTRAINT log_entry_pkey PRIMARY KEY ("index")',
        f"ALTER TABLE log_entry ADD CONSTRAINT log_entry_envelope_digest_key {once}",
        _RECEIVED,
        *refuse_postgresql("log_entry"),
        "CREATE OR REPLACE FUNCTION log_redaction_named() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NOT (NEW.refused <> '' OR ({named})) THEN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || "
        "' names no decision about this envelope', ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$",
    )


_FORWARDS = {
    "sqlite": (
        _well_formed_sqlite,
        *_sqlite(
            _BY_NUMBER,
            (
                "CREATE TABLE log_predicate_type (id integer NOT NULL PRIMARY KEY, name text NOT NULL UNIQUE)",
                _LIST,
                'CREATE TABLE log_entry ("index" integer NOT NULL PRIMARY KEY, received_us bigint NOT NULL, '
                "policy_index bigint NOT NULL, predicate_type_id integer NOT NULL, kind smallint NOT NULL, "
                "envelope_digest BLOB NOT NULL UNIQUE CHECK (length(envelope_digest) = 32), "
                "statement_digest BLOB NOT NULL CHECK (length(statement_digest) = 32), "
                "key_ids BLOB NOT NULL CHECK (length(key_ids) > 0 AND length(key_ids) / 32 * 32 = length(key_ids)), leaf_hash BLOB NOT NULL)",
                "CREATE TABLE log_redaction (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, "
                "envelope_digest BLOB NOT NULL CHECK (length(envelope_digest) = 32), entry_index bigint NOT NULL, "
                "refused text NOT NULL, done_us bigint NOT NULL, "
                "CONSTRAINT redaction_once UNIQUE (envelope_digest, entry_index))",
                *_copy("to_bytes({})"),
            ),
        ),
        _STATEMENT.format(""),
        "CREATE INDEX entry_predicate ON log_entry (predicate_type_id)",
        "CREATE INDEX entry_kind ON log_entry (kind)",
        *refuse_sqlite("log_predicate_type"),
    ),
    "postgresql": (
        _well_formed_postgresql,
        *_postgresql(
            _BY_NUMBER,
            "EXCLUDE USING hash (envelope_digest WITH =)",
            (
                'CREATE TABLE log_predicate_type (id integer PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE)',
                _LIST,
                'CREATE TABLE log_entry ("index" bigint NOT NULL, received_us bigint NOT NULL, '
                "policy_index bigint NOT NULL, predicate_type_id integer NOT NULL, kind smallint NOT NULL, "
                "envelope_digest bytea NOT NULL CHECK (length(envelope_digest) = 32), "
                "statement_digest bytea NOT NULL CHECK (length(statement_digest) = 32), "
                "key_ids bytea NOT NULL CHECK (length(key_ids) > 0 AND length(key_ids) / 32 * 32 = length(key_ids)), leaf_hash bytea NOT NULL)",
                _copy("decode(replace({}, ',', ''), 'hex')")[0],
                "ALTER TABLE log_redaction ALTER COLUMN envelope_digest TYPE bytea "
                "USING decode(envelope_digest, 'hex'), "
                "ADD CONSTRAINT redaction_bytes CHECK (length(envelope_digest) = 32)",
            ),
        ),
        _STATEMENT.format("USING hash "),
        'CREATE INDEX entry_predicate ON log_entry (predicate_type_id, "index")',
        'CREATE INDEX entry_kind ON log_entry (kind, "index")',
        *refuse_postgresql("log_predicate_type"),
    ),
}
_BACKWARDS = {
    "sqlite": (
        *_sqlite(
            _BY_TEXT,
            (
                'CREATE TABLE log_entry ("index" bigint NOT NULL PRIMARY KEY, kind varchar(11) NOT NULL, '
                "envelope_digest varchar(64) NOT NULL UNIQUE, statement_digest varchar(64) NOT NULL, "
                "received_us bigint NOT NULL, key_ids text NOT NULL, policy_index bigint NOT NULL, "
                "leaf_hash BLOB NOT NULL, predicate_type text NOT NULL)",
                "CREATE TABLE log_redaction (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, "
                "envelope_digest varchar(64) NOT NULL, entry_index bigint NOT NULL, refused text NOT NULL, "
                "done_us bigint NOT NULL, CONSTRAINT redaction_once UNIQUE (envelope_digest, entry_index))",
                *_copy_back("to_text({})"),
            ),
        ),
        _STATEMENT.format(""),
        'CREATE INDEX entry_predicate ON log_entry (predicate_type, "index")',
        'CREATE INDEX entry_kind ON log_entry (kind, "index")',
        "DROP TABLE log_predicate_type",
    ),
    "postgresql": (
        *_postgresql(
            _BY_TEXT,
            "UNIQUE (envelope_digest)",
            (
                'CREATE TABLE log_entry ("index" bigint NOT NULL, kind varchar(11) COLLATE "C" NOT NULL, '
                'envelope_digest varchar(64) COLLATE "C" NOT NULL, statement_digest varchar(64) COLLATE "C" NOT NULL, '
                'received_us bigint NOT NULL, key_ids text COLLATE "C" NOT NULL, policy_index bigint NOT NULL, '
                'leaf_hash bytea NOT NULL, predicate_type text COLLATE "C" NOT NULL)',
                _copy_back("rtrim(regexp_replace(encode({}, 'hex'), '(.{{64}})', '\\1,', 'g'), ',')")[0],
                "ALTER TABLE log_redaction DROP CONSTRAINT redaction_bytes",
                "ALTER TABLE log_redaction ALTER COLUMN envelope_digest TYPE varchar(64) COLLATE \"C\" "
                "USING encode(envelope_digest, 'hex')",
            ),
        ),
        _STATEMENT.format(""),
        'CREATE INDEX entry_predicate ON log_entry (predicate_type, "index")',
        'CREATE INDEX entry_kind ON log_entry (kind, "index")',
        "DROP TABLE log_predicate_type",
    ),
}


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0024_subjects")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(run(_FORWARDS), run(_BACKWARDS))],
            state_operations=[
                migrations.CreateModel(
                    name="PredicateType",
                    fields=[
                        ("id", models.IntegerField(primary_key=True, serialize=False)),
                        ("name", models.TextField(help_text="as scopes see it, cut where it is too long to be indexed", unique=True)),
                    ],
                    options={"db_table": "log_predicate_type"},
                ),
                migrations.AlterField("entry", "kind", models.SmallIntegerField()),
                migrations.AlterField("entry", "envelope_digest", models.BinaryField(unique=True)),
                migrations.AlterField("entry", "statement_digest", models.BinaryField(db_index=True)),
                migrations.AlterField(
                    "entry",
                    "key_ids",
                    models.BinaryField(help_text="every key that mathematically verified, sorted, comma-separated"),
                ),
                migrations.AlterField(
                    "entry",
                    "predicate_type",
                    models.IntegerField(db_column="predicate_type_id", help_text="as scopes see it; an index, not in the leaf"),
                ),
                migrations.AlterField("redaction", "envelope_digest", models.BinaryField()),
            ],
        ),
    ]
