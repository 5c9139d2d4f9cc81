"""FastStream as its page on RPC uses it: a subscriber whose result is the reply, and `broker.request`.

Replies come by direct reply-to, for which a client has one request under way at a time.
"""
