"""kombu at its bare minimum: one callback queue, one thread at each end, and nothing of the contract.

The difference between it and the implementation is what the contract costs.
"""
