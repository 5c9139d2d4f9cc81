"""The service on Celery: a task queue with workers, tasks, results and a protocol of its own, over kombu.

Celery gives the task protocol, a worker with its pool and event loop, and a result backend that replies
over AMQP (`rpc://`). Its parts are meant to be replaced by subclasses of your own, and the contract takes
several: how it connects, what it does with broken messages, how results come back.
"""

GAPS: dict[str, str] = {
    "shared_wire": "Celery has its own task protocol: the arguments are a list in the body, the task's name "
    "and id are headers, and a reply is a dictionary with a status. A bare number is no task message.",
}
