"""What is measured: the steps, `raw_pika` at their end, and what people write first."""

from typing import NamedTuple


class Program(NamedTuple):
    """One program, by the package that `pytest --backend` is given."""

    package: str
    title: str
    made_of: tuple[str, ...] = ("ladder.adapter",)  # packages and modules besides its own


STEPS = tuple(
    Program(f"ladder.step{number}", title)
    for number, title in enumerate(
        (
            "the tutorial",
            "time",
            "many calls",
            "checking",
            "a thread in the client",
            "threads in the server",
            "the client connects again",
            "the server connects again",
            "who serves",
            "stopping",
        )
    )
)
END = Program("raw_pika", "the whole", ())


def _beside(module: str, title: str, made_of: str, *others: str) -> Program:
    parts = ("ladder.adapter", *others, f"benchmarks.{made_of}")
    return Program(f"ladder.first.{module}", title, parts)


FIRST = (
    _beside("pika", "pika's tutorial", "first_pika"),
    _beside("kombu", "kombu's example", "first_kombu"),
    _beside("celery", "Celery's first steps", "first_celery", "ladder.threads"),
    Program(
        "ladder.first.celery_settings",
        "Celery, settings only",
        ("ladder.adapter", "ladder.threads"),
    ),
    _beside("aio_pika", "aio-pika's RPC pattern", "first_aio_pika", "ladder.async_adapter"),
    _beside("faststream", "FastStream's request", "first_faststream", "ladder.async_adapter"),
)
BARE = (
    _beside("bare_pika", "pika, bare", "bare_pika"),
    _beside("bare_kombu", "kombu, bare", "bare_kombu"),
    _beside("bare_celery", "Celery, bare", "bare_celery"),
)
PROGRAMS = (*STEPS, END, *FIRST, *BARE)
