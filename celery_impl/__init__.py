"""The service on Celery: tasks, workers and results, with a message protocol of its own, over kombu.

Celery gives the protocol, a worker with steps and a pool, and a result backend that replies over AMQP (`rpc://`).
Its parts are meant to be replaced by subclasses of your own. The contract needs several: how it connects, reads
and stops, what a broken message does to it, how results come back.
"""

UNSUPPORTED: dict[str, str] = {
    "shared_wire": "Celery has its own task protocol: the arguments are a list in the body, the "
    "task's name and id are headers, and a reply is a dictionary with a status.",
}
