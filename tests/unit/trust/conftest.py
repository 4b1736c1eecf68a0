"""Generated examples: no deadline, because a busy machine proves nothing about the code."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None, max_examples=60)
settings.load_profile("unhurried")
