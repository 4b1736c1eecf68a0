"""`lineage sources`: MLflow servers that are followed.

Secrets come from files, stdin or a prompt, never from arguments, which other users of the machine can see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lineage.cli import server
from lineage.cli.exits import EXIT_FAILED
from lineage.cli.options import options
from lineage.cli.output import json_option, say, show, table
from lineage.cli.secret_files import read_secret
from lineage.cli.text_files import read_text

if TYPE_CHECKING:
    from lineage.services.source_values import SourceValues

_TEXT_FILES = {"ca": "ca_pem", "client_certificate": "client_certificate_pem", "client_key": "client_key_pem"}
_OPTIONS = options(
    click.option("--auth", type=click.Choice(["none", "token", "basic"]), help="How it is signed in to."),
    click.option("--username", help="With --auth basic."),
    click.option("--secret-file", metavar="FILE", help="Token or password; - is stdin."),
    click.option("--ca", metavar="FILE", help="PEM certificates to trust; an empty file clears."),
    click.option("--client-certificate", metavar="FILE", help="PEM, for mutual TLS; an empty file clears."),
    click.option("--client-key", metavar="FILE", help="Its private key, PEM without a passphrase."),
    click.option("--proxy", metavar="URL", help="http://host:port; '' for none."),
    click.option(
        "--data-root", "data_roots", multiple=True, metavar="FOLDER",
        help="Where datasets may be read, under LINEAGE_STORAGE_ROOTS. Repeatable; '' for none.",
    ),
    click.option("--poll-seconds", type=int, help="Between two polls.  [default: 30]"),
    click.option("--sweep-seconds", type=int, help="Between two full sweeps.  [default: 86400]"),
    click.option("--rehash-seconds", type=int, help="Until bytes are hashed again.  [default: 604800]"),
    click.option("--requests-per-second", type=int, help="At most.  [default: 200]"),
    click.option("--max-file-bytes", type=int, help="Larger files are not hashed.  [default: 1 TiB]"),
)  # fmt: skip


@click.group()
def command() -> None:
    """MLflow servers that are followed: add, change, list, check, pause, resume, remove."""


@command.command()
@click.argument("name")
@click.option("--url", required=True, help="As in MLFLOW_TRACKING_URI: http(s)://host[:port][/prefix].")
@click.option("--continue", "continues", is_flag=True, help="It is the server that had this name before.")
@_OPTIONS
@json_option
def add(name: str, url: str, continues: bool, as_json: bool, **given: Any) -> None:
    """Follow an MLflow server under NAME, which never changes. Workers sync it from then on."""
    with server.log_ready():
        from lineage.services import sources

        values = _values({"url": url, **given}, needs_secret=True)
        sources.add(name, values, by=server.person(), continues=continues)
        _show(name, as_json, f"{name} is followed. Try it: lineage sources check {name}")


@command.command()
@click.argument("name")
@click.option("--url", help="The same server at another address; its secret has to be given again.")
@_OPTIONS
@json_option
def change(name: str, url: str | None, as_json: bool, **given: Any) -> None:
    """Change what is said of NAME; all else stays, secrets too."""
    with server.log_ready():
        from lineage.services import sources

        before = sources.find(name)
        other = given["auth"] not in (None, before.auth)
        sources.change(name, _values({"url": url, **given}, needs_secret=other), by=server.person())
        _show(name, as_json, f"{name} is changed.")


@command.command("list")
@json_option
def listing(as_json: bool) -> None:
    """Every source, and how far each is followed; never a secret."""
    with server.log_ready():
        from lineage.services import source_records

        records = source_records.every()
    rows = [
        (
            record.name,
            record.sync.state,
            record.url,
            record.sync.polled_at or "never",
            str(record.objects),
            str(record.problems),
            record.sync.error,
        )
        for record in records
    ]
    head = ("NAME", "STATE", "ADDRESS", "LAST SYNC", "RECORDED", "SKIPPED", "ERROR")
    show(as_json, {"sources": msgspec.to_builtins(records)}, table(head, rows))


@command.command()
@click.argument("name")
@json_option
def check(name: str, as_json: bool) -> int:
    """Connect to NAME, and say what answers. Exit code 1: it does not as it should."""
    with server.log_ready():
        from lineage.services import source_check, sources

        found = source_check.check(sources.find(name))
    more = " or more" if found.more else ""
    seen = f"MLflow {found.version} answers; {found.experiments}{more} experiments can be seen."
    show(as_json, msgspec.to_builtins(found), seen if found.ok else found.reason)
    return 0 if found.ok else EXIT_FAILED


@command.command()
@click.argument("name")
@json_option
def pause(name: str, as_json: bool) -> None:
    """Connect to NAME no more, until it is resumed."""
    with server.log_ready():
        from lineage.services import sources

        sources.pause(name, by=server.person())
        _show(name, as_json, f"{name} is paused.")


@command.command()
@click.argument("name")
@json_option
def resume(name: str, as_json: bool) -> None:
    """Follow NAME again."""
    with server.log_ready():
        from lineage.services import sources

        sources.resume(name, by=server.person())
        _show(name, as_json, f"{name} is followed again.")


@command.command()
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """Follow NAME no more, and forget its secrets. What was recorded stays in the log."""
    with server.log_ready():
        from lineage.services import sources

        sources.remove(name, by=server.person())
    show(as_json, {"name": name, "removed": True}, f"{name} is removed. What was recorded stays in the log.")


@command.command("webhook-secret")
@click.argument("name")
@json_option
def webhook_secret(name: str, as_json: bool) -> None:
    """Make a secret for NAME's webhooks, for MLflow to sign with. It is printed once, alone on stdout."""
    with server.log_ready():
        from lineage.services import sources

        secret = sources.new_webhook_secret(name, by=server.person())
    say(f"MLflow's webhooks go to /api/v1/interop/mlflow/{name}. This is the only time that it is shown.")
    show(as_json, {"name": name, "webhook_secret": secret}, secret)


def _show(name: str, as_json: bool, words: str) -> None:
    from lineage.services import source_records

    show(as_json, msgspec.to_builtins(source_records.read(name)), words)


def _values(given: Mapping[str, Any], *, needs_secret: bool) -> SourceValues:
    """What the options say. Raises: MalformedError for a file that can't be read."""
    from lineage.services.source_values import SourceValues

    said = {name: value for name, value in given.items() if value not in (None, ())}
    if "data_roots" in said:
        said["data_roots"] = list(said["data_roots"])
    for option, field in _TEXT_FILES.items():
        if option in said:
            said[field] = read_text(said.pop(option), field)
    needed = needs_secret and said.get("auth") in ("token", "basic")
    secret = read_secret(said.pop("secret_file", ""), "secret", ask="Token or password" if needed else "")
    if secret is not None:
        said["secret"] = secret
    return SourceValues(**said)
