"""What is the same for every implementation: the machinery under the contract. Imports no messaging library.

Begin with `client.py` and `server.py`: what a client and a server do, and what a layer's `Link` has to offer.
"""
