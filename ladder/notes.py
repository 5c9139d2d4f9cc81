"""What a user sees of a clause that a program does not keep; and what its documentation calls its choice."""

SEEN = {
    "Names": "Options, messages or exit codes differ. (The command line is rpc_core's; what is behind it is not.)",
    "C1": "An answer is missing or wrong.",
    "C2": "One call at a time; or a future that is answered only while somebody waits for it.",
    "C3": "Threads that share a client take each other's replies, or spoil the connection.",
    "C4": "A call that nobody answers waits for ever, or too long.",
    "C5": "A request that nobody waits for any more is computed all the same, or stays in the queue.",
    "C6": "Nothing says that nobody serves: the call waits, or times out like any other.",
    "C7": "A call that its caller has given up keeps its place, or cannot be given up.",
    "C8": "close() leaves a waiting call waiting, or something of the client's behind.",
    "C9": "One bad message ends the server, and then the next that gets it.",
    "C10": "A function that raises ends its server; the caller hears nothing of it, or not what it was.",
    "C11": "A server that dies takes the call with it; or a request that kills servers never stops.",
    "C12": "Once the connection is lost, each call fails or hangs until the program builds another client.",
    "C13": "A reply that is not expected ends the client or somebody else's call, or is not counted.",
    "C14": "A request is gone from the broker before it is answered.",
    "C15": "A slow request holds others back; --concurrency is not heeded.",
    "C16": "Nobody sends heartbeats during a long job: the broker closes the connection and the job runs again.",
    "C17": "SIGTERM or Ctrl-C ends the server in the middle of a request, or it has another exit code than 0.",
    "C18": "The server ends with the broker's restart, or when its queue is deleted, or never gives up.",
    "C19": "A second server takes no share.",
    "C20": "Something other than JSON is read, a certificate is not verified, or a password is shown.",
    "C21": "Calls that ended are kept, or a client that was idle for long does not work.",
    "C22": "There are no counters, or they do not add up.",
    "C23": "The queue is gone when the broker restarts, or one that exists is not taken as it is.",
    "Wire": "Programs of other layers, and the tutorial's, cannot join in.",
}
"""By clause, where a program has no sentence of its own."""

ONE_THREAD = {
    "C3": "The client is for one thread: whoever waits reads for all.",
    "C19": "Two servers share the work, as in step 1; but `concurrent.futures.wait` does not read the replies.",
}
CALLBACK = {"C3": "A future's callback that waits for another call waits for its own thread."}
ACKNOWLEDGES = {
    "C14": "It does acknowledge after the reply; what else these tests do, it does not survive.",
}
EXIT_CODE = {
    "C14": "It does acknowledge after the reply; but one of these tests wants exit code 0."
}
HEARTBEATS = {
    "C16": "Heartbeats are sent during a job; but requests are not mandatory, as two of these tests want.",
}
FAIR = "Dispatch is fair, and --concurrency is heeded; but "
ENDS = {"C15": f"{FAIR}the server ends when its connection is lost."}
CUT_OFF = {
    "C15": f"{FAIR}a server that was cut off takes requests while its threads compute old ones.",
}
CONNECTS = {
    "C2": "Calls are kept apart; but in a forked child a client of its parent's hangs.",
    "C5": "An expired request is dropped; but one test waits for the client's log of attempts to connect.",
    "C12": "It connects again; but the caller of a request that the broker does not take is not told.",
}
NO_HEARTBEATS = {
    "C16": "It asks for no heartbeats, whatever it is told, so a long job harms no connection."
}
THREADS = {
    "C2": "Many calls are under way; but each thread has a callback queue, declared again for each call.",
}
CELERY = {
    "C16": "The heartbeat is Celery's own, whatever it is told; the test's long job is answered.",
    "C18": "The worker connects again, in words of its own; most of these tests wait for others.",
}
PROTOCOL = "Celery has its own task protocol, which its documentation describes."

OWN = {
    "ladder.step0": {
        "C11": "A server that dies loses no call; but a request that kills servers comes back for ever.",
        "C13": "A reply of another call is ignored; one that is no number raises a ValueError in the caller. "
        "Nothing is counted.",
        **ACKNOWLEDGES,
        "C15": "Its prefetch is 1, which is fair; --prefetch and --concurrency are not heeded.",
        "C20": "Only integers are read; but a refusal reaches the caller as pika's own error.",
        "C23": "Its queue is not durable, so it is gone when the broker restarts.",
        "Wire": "The messages are these; but it replies with no errors, and its queue is not durable.",
    },
    "ladder.step1": ACKNOWLEDGES,
    "ladder.step2": ONE_THREAD | ACKNOWLEDGES,
    "ladder.step3": ONE_THREAD | ACKNOWLEDGES,
    "ladder.step4": CALLBACK | EXIT_CODE,
    "ladder.step5": CALLBACK | EXIT_CODE | ENDS | HEARTBEATS,
    "ladder.step6": CONNECTS | CALLBACK | EXIT_CODE | ENDS | HEARTBEATS,
    "ladder.step7": CONNECTS | CALLBACK | EXIT_CODE | CUT_OFF | HEARTBEATS,
    "ladder.step8": CONNECTS | CALLBACK | EXIT_CODE | CUT_OFF | HEARTBEATS,
    "ladder.step9": {
        **CONNECTS,
        **CALLBACK,
        "C9": "Bad bodies are answered; properties that pika cannot decode are not.",
        **CUT_OFF,
        **HEARTBEATS,
        "C17": "It stops well; but a process that its function forks keeps its signal handlers.",
    },
    "ladder.first.pika": ACKNOWLEDGES,
    "ladder.first.kombu": {
        "C14": "It acknowledges after the reply, but on another connection: either may be first.",
        "C15": "--prefetch is heeded, --concurrency is not; and its client has one call under way.",
        "C18": "It connects again, in words of its own; most of these tests wait for others.",
    },
    "ladder.first.celery": {
        **THREADS,
        **CELERY,
        "C1": "More than 4,300 digits are an error, as in the contract, but one of Celery's own.",
        "C4": "get() has no timeout unless one is given, so it waits for ever.",
        "C10": "The caller gets an error of the function's class and message, not the contract's.",
        "C15": "As it is acknowledged before it runs, one request more is fetched, and waits behind a slow one.",
    },
    "ladder.first.celery_settings": {
        **THREADS,
        **CELERY,
        "C14": "It is acknowledged after it ran, but on another connection than the reply's: either may be first.",
        "C15": f"{FAIR}most of these tests want a worker that consumes from its request queue only.",
        "C16": "The worker's heartbeat is as told, the client has none; the test's long job is answered.",
    },
    "ladder.first.aio_pika": {
        **CALLBACK,
        "C1": "Its answers are right, also with more than 4,300 digits, where the contract has an error.",
        "C10": "The caller gets the exception itself, pickled.",
    },
    "ladder.first.faststream": {
        **CALLBACK,
        "C1": "More than 4,300 digits are an error, as in the contract, but a ValueError in the caller.",
        "C4": "request() takes a timeout with each call; the program here gives 60 s, whatever it is asked.",
    },
    "ladder.first.bare_pika": ACKNOWLEDGES,
    "ladder.first.bare_kombu": ACKNOWLEDGES | NO_HEARTBEATS,
    "ladder.first.bare_celery": {
        **CELERY,
        "C1": "An error's reply is taken for an answer.",
        "C10": "An error's reply is taken for an answer.",
    },
}
"""By program and clause."""

EARLY = {
    "C11": "See C14: acknowledged before it runs.",
    "C14": "Its documentation: a task is acknowledged just before it runs, as it may not be idempotent; "
    "task_acks_late is the setting.",
}
CHOICES = {
    "ladder.first.celery": {
        **EARLY,
        "C15": "Its documentation: prefetching suits many short tasks; for long ones task_acks_late goes with "
        "worker_prefetch_multiplier=1.",
        "Wire": PROTOCOL,
    },
    "ladder.first.celery_settings": {"Wire": PROTOCOL},
    "ladder.first.bare_celery": {**EARLY, "Wire": PROTOCOL},
    "ladder.first.aio_pika": {
        "C20": "Its documentation: the RPC pattern pickles; JsonRPC is the class that does not.",
        "Wire": "The pattern has a protocol of its own, with pickled arguments.",
    },
}
"""What is not kept, and documented so."""


def note(package: str, clause: str) -> str:
    """Return the one line on a clause that a program does not keep."""
    choice = CHOICES.get(package, {}).get(clause)
    own = OWN.get(package, {}).get(clause, SEEN[clause])
    return f"{own} *By choice.* {choice}" if choice else own
