"""The specification of the log under TLC, and recorded traces against it."""
