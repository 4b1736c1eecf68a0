"""The one conformance suite: every graph backend gives the answers of a plain Python reference."""
