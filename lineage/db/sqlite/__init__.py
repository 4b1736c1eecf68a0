"""Django's SQLite backend, with the tables of the graph in a file of their own beside the log's."""
