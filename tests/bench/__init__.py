"""`make bench`: drive a fresh server from another process and print what it does.

Figures are absolute and as multiples of a calibration in the same run (one Ed25519 verification on this
machine), because machines differ and are noisy. Never run as a test.
"""
