"""Celery as its first steps use it: a task, `.delay(n).get()`, results over `rpc://`, and no other setting.

Celery's default pool forks; by default it acknowledges a request before it computes, so a crash loses it.
"""
