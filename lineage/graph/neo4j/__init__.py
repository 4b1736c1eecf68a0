"""The lineage graph in Neo4j: for production reads, Cypher, and other tools' eyes.

Owns: everything that speaks Bolt. Does not own: which entries there are (`services.project_neo4j`), statuses,
believed names and taint (the database's tables), or which backend answers (`services.graph_choice`).
"""

from lineage import bolt_driver

bolt_driver.load()
