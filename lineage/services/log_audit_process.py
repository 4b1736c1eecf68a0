"""`python -m lineage.services.log_audit_process`: reads parts of the log for an audit, one a line.

Owns: a `Part` as JSON in from standard input, an `Answer` out, until there is no more input. Has a database
connection of its own and believes nothing that another process remembers. Writes nothing.
"""

from __future__ import annotations

import os
import signal
import sys

import msgspec


def main() -> None:
    """Serve until standard input ends. Whoever asked ends it; Ctrl-C at a terminal reaches that one too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lineage.settings")
    import django

    django.setup()
    from django.db import DatabaseError

    from lineage import memory
    from lineage.errors import LineageError
    from lineage.services import log_audit_part
    from lineage.services.log_audit_crew import Answer
    from lineage.services.log_audit_part import Part

    part = msgspec.json.Decoder(Part)
    memory.collect_seldom()  # entries leave no cycles behind: looking for some at each is 3% of an audit
    # Nothing else is to get between the answers.
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    for line in sys.stdin.buffer:
        try:
            answer = Answer(found=log_audit_part.read(part.decode(line)))
        except (DatabaseError, LineageError) as error:
            answer = Answer(failed=f"{type(error).__name__}: {error}".replace("\n", " "))
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
