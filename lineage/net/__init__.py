"""Connections to servers that others name: which addresses may be reached, whom we trust, how long we wait.

Owns: the guard, guarded connections of urllib3, TLS contexts, pauses between tries. Does not own: what is
asked (`lineage.mlflow`, `lineage.artifacts.storage`), settings.
"""
