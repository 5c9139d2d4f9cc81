"""aio-pika as its patterns page uses it for RPC: `RPC.register` and `RPC.call`, which pickle, in one event loop.

Its futures have no deadline unless the caller sets one; connections are restored by `connect_robust`.
"""
