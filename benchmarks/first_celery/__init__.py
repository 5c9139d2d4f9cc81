"""Celery as its first steps use it: a task, `.delay(n).get()`, results over `rpc://`, everything else at its default.

Celery's default pool forks; by default it acknowledges a request before it computes, so a crash loses it.
"""

DELIVERY_MODE = "persistent"  # Celery's default
