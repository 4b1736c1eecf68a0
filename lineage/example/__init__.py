"""The example that `lineage up` shows: a small real pipeline that signs what it does.

Owns: the data, the model, the example's own keys and what it says with them. Talks to the platform as any
pipeline would: by the client, the REST API and the `lineage` command. Needs scikit-learn.
"""
