"""pika as its tutorial first uses it: a blocking connection, a uuid for each call, one thread for everything.

No deadline, no heartbeat during a long job, no reconnecting, and not for threads.
"""
