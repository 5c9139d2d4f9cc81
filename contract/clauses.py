"""The contract: its clauses by the numbers that docstrings and tests cite.

Where a clause and the code disagree, one of them is mended, and the change says which.
"""

from typing import NamedTuple

from contract.limits import (
    DEADLINE_TOLERANCE,
    FAIL_FAST_WITHIN,
    LOSS_TOLD_WITHIN,
    MAX_N,
    TIMED_OUT_CALLS,
)


class Clause(NamedTuple):
    """One promise that every implementation keeps."""

    title: str
    text: str


CLAUSES = {
    "Names": Clause(
        "command-line interface",
        "The class, its arguments, the command lines, their output and exit codes are the same for all.",
    ),
    "C1": Clause(
        "exact results",
        f"`call(n)` returns the exact `int` for every n from 0 to {MAX_N:,}.",
    ),
    "C2": Clause(
        "correlation",
        "Any number of calls may be in flight; replies come back in any order; every caller gets its own "
        "answer. One callback queue per client, declared once: a call costs one message each way and no round "
        "trip.",
    ),
    "C3": Clause(
        "threads share a client",
        "Threads may share one client.",
    ),
    "C4": Clause(
        "timeout at the deadline",
        "At its deadline a call fails with `RpcTimeout` (also a `TimeoutError`): never `None`, never a hang, "
        f"at most {DEADLINE_TOLERANCE} s late on an idle machine, whether anyone waits on the future or not. "
        "The client goes on working.",
    ),
    "C5": Clause(
        "expired requests are not executed",
        "A request carries its remaining time; after the deadline no server computes it, and it does not stay "
        "in the queue.",
    ),
    "C6": Clause(
        "no consumers",
        "With no server consuming the queue at the deadline the call fails with `RpcServerUnavailable`, a "
        f"kind of `RpcTimeout`; with `fail_fast=True`, within {FAIL_FAST_WITHIN:g} s. A server that comes up in "
        "time answers.",
    ),
    "C7": Clause(
        "cancel",
        "`future.cancel()` frees all that the client holds for that call; the reply counts as late.",
    ),
    "C8": Clause(
        "close leaves nothing",
        "`close()` fails what is pending with `RpcClosed`, and leaves no thread, connection, channel or queue "
        "of the client's behind.",
    ),
    "C9": Clause(
        "invalid request",
        "What is not one integer in range, in a readable message, is answered with `InvalidRequest` (also a "
        "`ValueError`), which says what was wrong. The server is the authority, whatever client wrote the "
        "message; the client refuses only what JSON cannot carry. Without `reply_to` the message is logged "
        "and dropped. Nothing is requeued and no server dies.",
    ),
    "C10": Clause(
        "remote error",
        "An exception in the function, or a result that is no int or too long to send, reaches the caller as "
        "`RemoteError` with the exception's type name and message. No class is looked up by a name off the "
        "wire; the traceback stays in the server's log. The server goes on.",
    ),
    "C11": Clause(
        "server crash",
        "A server killed while it computes loses no call: another answers it inside its deadline. A request "
        "that kills every server that takes it stops at its deadline at the latest, and the next one is "
        "served.",
    ),
    "C12": Clause(
        "connection lost",
        "When the broker goes away, a call in flight fails with `RpcConnectionLost` (also a "
        f"`ConnectionError`) within {LOSS_TOLD_WITHIN:g} s of the client noticing, or still completes. The "
        "same client works again once the broker is back; a call made meanwhile waits for that until its "
        "own deadline. Nothing that may have run is sent again.",
    ),
    "C13": Clause(
        "unmatched replies",
        "A duplicate, late, unknown, id-less or malformed reply resolves no other call and harms no client; "
        "each is counted.",
    ),
    "C14": Clause(
        "acknowledged after the reply",
        "A request is acknowledged after its reply was published: at least once, so functions should be "
        "idempotent.",
    ),
    "C15": Clause(
        "fair dispatch",
        "With the default prefetch one slow request does not hold back another that an idle server could "
        "take.",
    ),
    "C16": Clause(
        "long jobs",
        "A job of three heartbeat intervals completes, is computed once, and its connection stays up.",
    ),
    "C17": Clause(
        "graceful stop",
        "On SIGTERM or SIGINT a server takes no new request, finishes what it computes, replies, "
        "acknowledges, returns what it only prefetched, and exits with 0. No accepted call fails because of "
        "it.",
    ),
    "C18": Clause(
        "server reconnects",
        "A server survives a restart of its broker and serves again, backing off between attempts, with a log "
        "line for each.",
    ),
    "C19": Clause(
        "scale out",
        "Starting a second server on the same queue, here or on another machine, needs no configuration.",
    ),
    "C20": Clause(
        "trust",
        "JSON only: no pickle is accepted or produced. `amqps://` verifies the broker's certificate and host "
        "name. Passwords in addresses reach no log line, exception or `repr`.",
    ),
    "C21": Clause(
        "resources",
        f"After {TIMED_OUT_CALLS:,} calls that timed out nothing has grown. Idle past the heartbeat, the "
        "client still works at the next call.",
    ),
    "C22": Clause(
        "counters",
        "`client.stats` is a snapshot with integers: sent, succeeded, failed, timed_out, late, unknown, "
        "malformed, reconnects, in_flight.",
    ),
    "C23": Clause(
        "durable queue",
        "A durable request queue that exists is used as it is, whatever its type and arguments. One that does "
        "not is declared durable, and classic; with `queue_type='quorum'` it is replicated, survives a node's "
        "death, and drops a request that was delivered as often as the broker's delivery limit says and never "
        "acknowledged. A queue that is not durable, or not of the type that was asked for, is refused, with "
        "what was asked for and what there is.",
    ),
    "Wire": Clause(
        "the wire format of RabbitMQ's tutorial six",
        "A client of one implementation works with a server of another, and so do the tutorial's own programs "
        "(a server of theirs, if it declares the queue durable).",
    ),
}
