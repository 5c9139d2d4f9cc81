"""pika at its bare minimum: `SelectConnection`, one thread at each end, and nothing of the contract.

What the contract costs is the distance to it, and not to the floor.
"""
