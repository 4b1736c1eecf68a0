"""`python -m lineage.cli`: the same as `lineage`, where only the interpreter's path is known."""

from lineage.cli.main import main

main()
