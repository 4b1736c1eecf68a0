"""The command line, `lineage`. One file a group of commands; `main` finds them by name.

Commands parse, call one thing below, and show the result. Results go to stdout, words to stderr.
"""
