"""Celery's tasks: each calls one service, and may run at any time, any number of times, anywhere."""
