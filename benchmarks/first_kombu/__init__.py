"""kombu as its RPC example first uses it: every call declares its callback queue and consumes from it anew."""
