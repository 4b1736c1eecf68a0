"""`python -m lineage.example`: run what has not been done yet of the example, against this installation."""

from __future__ import annotations

import sys

from lineage.config import current
from lineage.errors import LineageError
from lineage.example.steps import Example
from lineage.example.workshop import Workshop, log


def main() -> int:
    config = current()
    host = "127.0.0.1" if config.host in {"0.0.0.0", "::"} else config.host  # noqa: S104 compared, not bound
    address = f"[{host}]" if ":" in host else host
    shop = Workshop(config.home / "example", f"http://{address}:{config.port}")
    try:
        Example(shop).run()
    except (LineageError, RuntimeError, OSError, ValueError) as error:
        log(f"stopped: {error}. The next start goes on from here.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
