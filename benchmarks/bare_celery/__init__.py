"""Celery at its bare minimum: a worker that computes in its own thread, and results consumed as messages.

What is left is Celery's protocol and its worker, with all that can be switched off switched off.
"""
