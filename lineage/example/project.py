"""What the example is called, and what its parts have in common. Needs nothing."""

PROJECT = "tumour-screening"
TARGET = "benign"
SEED = 20_260_303
THRESHOLD = "decision_threshold"
"""The metadata key that says from which probability on a tumour is called benign."""
