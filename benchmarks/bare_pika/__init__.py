"""pika at its bare minimum: `SelectConnection`, one thread at each end, and nothing of the contract.

The difference between it and the implementation is what the contract costs.
"""
