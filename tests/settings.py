"""Change settings of RabbitMQ's while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from harness.broker import PrivateBroker


@contextmanager
def settings(broker: PrivateBroker, **values: int) -> Iterator[None]:
    """Run the broker with other values. Connections and channels that exist may keep those they know."""
    before = ", ".join(f"rabbit_misc:get_env(rabbit, {name}, undefined)" for name in values)
    changed = "".join(f"{put(name, str(value))}, " for name, value in values.items())
    # a tuple: Erlang would print a list of small numbers as text
    answer = broker.evaluate(f"Before = {{{before}}}, {changed} Before")
    try:
        yield
    finally:
        old = dict(zip(values, answer.strip("{}").split(","), strict=True))
        broker.evaluate(", ".join(put(name, value) for name, value in old.items()))


def put(name: str, value: str) -> str:
    """Return the Erlang that sets one; RabbitMQ 4 keeps some of them in a second place."""
    second = (
        f"persistent_term:get({name}, none) =:= none orelse persistent_term:put({name}, {value})"
    )
    return f"application:set_env(rabbit, {name}, {value}), {second}"
