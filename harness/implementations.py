"""The one list of implementations, read by tests, benchmarks and documentation; how to find another."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec

from contract.client import RpcClient

IMPLEMENTATIONS = ("raw_pika", "kombu_impl", "celery_impl")


def check_implementation(package: str) -> str:
    """Return the name of an importable package that has `rpc_client` and `rpc_server` modules.

    Raises:
        ValueError: it is not importable, or lacks one of the two.
    """
    for module in (package, f"{package}.rpc_client", f"{package}.rpc_server"):
        why = ""
        try:
            found = find_spec(module) is not None
        except ValueError:  # no name at all
            found = False
        except Exception as error:  # the package is imported, which may fail in any way
            found = False
            if getattr(error, "name", None) not in (package, package.partition(".")[0]):
                why = f": {error!r}"
        if not found:
            known = ", ".join(IMPLEMENTATIONS)
            raise ValueError(
                f"no module {module!r} can be imported{why} (implementations here: {known})"
            )
    return package


def client_class(package: str) -> type[RpcClient]:
    """Return an implementation's client class."""
    found: type[RpcClient] = import_module(f"{package}.rpc_client").FibonacciRpcClient
    return found


def unsupported(package: str) -> Mapping[str, str]:
    """Return what an implementation declares that it cannot do: capability -> reason (its `UNSUPPORTED`)."""
    declared: Mapping[str, str] = getattr(import_module(package), "UNSUPPORTED", {})
    return declared
