"""`lineage log`: public keys, the newest checkpoint, proofs, witnesses, epochs, the whole log read again."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from lineage import processors
from lineage.cli import log_epochs, server
from lineage.cli.exits import EXIT_FAILED, EXIT_INCONCLUSIVE, sentence
from lineage.cli.moments import shown
from lineage.cli.output import json_option, progress, say, show, table
from lineage.errors import ConfigurationError, NotFoundError, UnavailableError


@click.group()
def command() -> None:
    """The log: its public key, its newest checkpoint, proofs."""


command.add_command(log_epochs.new_epoch)
command.add_command(log_epochs.epochs)


@command.command()
@click.option("--all", "earlier", is_flag=True, help="The keys and names before it too, newest first.")
@json_option
def key(earlier: bool, as_json: bool) -> None:
    """The log's public key as a C2SP verifier key (name+hash+base64).

    A key signs what has more entries than its `since`; the one before goes on beside it until its end. The
    name in it is the log's and its epoch's.
    """
    with server.log_ready():
        from lineage.services import publish

        text = publish.verifier_key()
        keys = publish.verifier_keys() if earlier else []
    value: dict[str, object] = {"verifier_key": text}
    if not earlier:
        show(as_json, value, text)
        return
    value["keys"] = [
        {
            "verifier_key": each.verifier_key,
            "epoch": each.epoch,
            "since": each.since,
            "not_after": shown(each.not_after_us),
            "revoked": each.revoked,
        }
        for each in keys
    ]
    rows = [(each.verifier_key, str(each.since), shown(each.not_after_us), each.revoked) for each in keys]
    show(as_json, value, table(("VERIFIER KEY", "SINCE", "ENDS", "REVOKED"), rows))


@command.command()
@json_option
def checkpoint(as_json: bool) -> None:
    """The newest published checkpoint, as the signed note that clients verify, with its cosignatures."""
    with server.log_ready():
        from lineage.services import publish, witnesses

        newest = publish.newest()
        if newest is None:
            raise NotFoundError("No checkpoint has been published yet.", hint="`lineage up` publishes them.")
        note = witnesses.cosigned(newest).decode()
        value = {
            "size": newest.size,
            "root_hash": newest.root_hash,
            "published_at": shown(newest.published_us),
            "verifier_key": publish.verifier_key(newest.size),
            "note": note,
        }
    show(as_json, value, note.rstrip("\n"))


@command.command("witnesses")
@json_option
def witnesses_(as_json: bool) -> None:
    """Who is asked to cosign checkpoints, and how each fares."""
    with server.log_ready():
        from lineage.services import witnesses

        found = witnesses.states()
    value = [
        {
            "name": each.witness.name,
            "verifier_key": each.witness.verifier_key,
            "url": each.witness.url,
            "size": each.size,
            "cosigned_at": shown(each.at_us or None),
            "asked_at": shown(each.asked_us or None),
            "contradicts": each.contradicts,
            "error": each.error,
        }
        for each in found
    ]
    rows = [
        (each.witness.name, str(each.size), shown(each.at_us or None) or "never", each.error)
        for each in found
    ]
    none = "No witness is configured (LINEAGE_WITNESSES)."
    show(as_json, value, table(("WITNESS", "SIZE", "COSIGNED", "PROBLEM"), rows) if rows else none)


@command.command()
@click.argument("digest")
@click.option("--out", type=click.Path(path_type=Path), help="Write the proof here; default: stdout.")
@json_option
def proof(digest: str, out: Path | None, as_json: bool) -> None:
    """A proof, checked offline, that an envelope (sha256:<hex>) is in the log (C2SP tlog-proof)."""
    with server.log_ready():
        from lineage.services import proofs

        text = proofs.of_envelope(digest).decode()
    if out is None:
        show(as_json, {"proof": text}, text.rstrip("\n"))
        return
    try:
        out.write_text(text)
    except OSError as error:
        raise ConfigurationError(f"{out} can't be written: {error.strerror}.") from error
    show(as_json, {"proof": str(out)}, f"Proof: {out}")


@command.command()
@click.option(
    "--from", "start", type=click.IntRange(min=0), default=0, help="Read envelopes from this entry on."
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes that read at once; default: all cores.")
@json_option
@click.pass_context
def audit(ctx: click.Context, start: int, jobs: int | None, as_json: bool) -> None:
    """Read the whole log again: bytes, signatures, leaves, tiles, checkpoints. Exits with 1 at damage.

    Where it could not be read to its end it exits with 2: then nothing is known.
    """
    with server.log_ready():
        from lineage.db.models import LogHead
        from lineage.services import epoch_records, log_audit, log_audit_round

        size = LogHead.objects.values_list("size", flat=True).get(pk=1)
        with progress("reading", size, shown=lambda count: f"{count:,.0f} entries") as advance:
            before = 0

            def step(done: int, _total: int) -> None:
                nonlocal before
                advance(done - before)
                before = done

            try:
                since = log_audit_round.last_us()
                report = log_audit.audit(start=start, jobs=jobs or processors.usable(), report=step)
                log_audit_round.keep(report, since)
            except UnavailableError as error:
                say(f"lineage: {sentence(error)}")
                ctx.exit(EXIT_INCONCLUSIVE)
        given_up = [] if report.wrong else [each.sentence() for each in epoch_records.history()]
    show(as_json, msgspec.to_builtins(report), [report.sentence(), *given_up])
    if report.wrong:
        ctx.exit(EXIT_FAILED)
