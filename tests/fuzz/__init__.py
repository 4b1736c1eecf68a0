"""Fuzz targets of whatever reads bytes of strangers, one file each, each a line in `targets.TARGETS`.

`python -m tests.fuzz envelope --seconds 60` runs one under atheris; `make fuzz` runs them all. The suite runs
each over a fixed number of inputs from a fixed seed (`test_targets`). Seeds are made by code; third-party
vectors join them where they are present. Nothing is imported here: atheris instruments what it sees imported.
"""
