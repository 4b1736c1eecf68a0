"""Real PostgreSQL, Redis and Neo4j as child processes of this one, without containers.

For development, tests and `lineage up --full`: loopback only, one folder each that holds data, password, port
and log. Production runs the same versions as `compose.yaml` names them. The server imports nothing of this.
"""
