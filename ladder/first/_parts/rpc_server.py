"""The server of the adapted program that this module was imported from."""

from importlib import import_module

from rpc_core.programs import parse_server_options

if __name__ == "__main__":
    assert __package__
    import_module(__package__).serve(parse_server_options(__package__))
