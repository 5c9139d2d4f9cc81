"""Change a setting of RabbitMQ's while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from harness.broker import PrivateBroker


@contextmanager
def setting(broker: PrivateBroker, name: str, value: int) -> Iterator[None]:
    """Run the broker with another value. Connections that exist already may keep the one they know."""

    def put(text: str) -> None:
        # RabbitMQ 4 keeps some of them here as well
        cached = (
            f"persistent_term:get({name}, none) =:= none orelse persistent_term:put({name}, {text})"
        )
        broker.ctl("eval", f"application:set_env(rabbit, {name}, {text}), {cached}.")

    before = broker.ctl("eval", f"rabbit_misc:get_env(rabbit, {name}, undefined).").strip()
    try:
        put(str(value))
        yield
    finally:
        put(before)
