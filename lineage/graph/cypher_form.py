"""The form of a Cypher answer's values as JSON that loses nothing.

JSON's own types are themselves; all else is an object whose `$type` says what it is, and a map that has such
a key of its own is one too. `cypher_values` brings the driver's values into this form; whoever only shows
them needs no driver, which is large to load.

    integers beyond ±(2^53 - 1)   {"$type": "integer", "value": "9007199254740993"}
    NaN and infinities            {"$type": "float", "value": "NaN" | "Infinity" | "-Infinity"}
    bytes                         {"$type": "bytes", "hex": "00ff"}
    times                         {"$type": "date" | "time" | "datetime" | "duration", "value": ISO 8601}
    points                        {"$type": "point", "srid": 4326, "coordinates": [8.7, 50.1]}
    nodes                         {"$type": "node", "key": …, "labels": […], "properties": {…}}
    relationships                 {"$type": "relationship", "relation": "USED", "source": key or null,
                                   "target": key or null, "properties": {…}}
    paths                         {"$type": "path", "nodes": […], "relationships": […]}
    maps with the key `$type`     {"$type": "map", "value": {…}}

`source` and `target` are null where the answer doesn't hold the node itself: Neo4j then sends no properties.
"""

TYPE = "$type"
"""The key that says what an object stands for."""
