"""The closure index: which node is joined to which, as integers, for walks over very many edges.

A cache of the graph tables and never their equal: it holds no name, no support and no key, and whatever it
can't answer exactly is asked of the tables. Nodes are the tables' row ids.
"""
