"""The bytes of models, datasets and folders: how they are hashed.

Needs no Django; it is part of what a pipeline installs.
"""
