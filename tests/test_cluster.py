"""C12, C18, C23 past one machine: three nodes, a quorum queue, one node killed under load."""

import json
from collections.abc import Iterator

import pika
import pytest

from conftest import Connect, Serve
from contract import RpcConnectionLost, RpcTimeout
from harness.broker import PrivateBroker
from harness.cluster import Cluster
from tests.load import Load
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(240)  # the first test waits for the cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Three nodes for all tests; a test starts again what it killed."""
    with Cluster() as nodes:
        yield nodes


def test_node_killed(serve: Serve, connect: Connect, cluster: Cluster, queue: str) -> None:
    """C12, C23: a node is killed under load: the service goes on, and every call ends in time."""
    victim, *others = cluster.nodes
    # clients and servers begin with different nodes; two of the four lose theirs
    turned = ";".join([*cluster.urls[1:], cluster.urls[0]])
    servers = [serve(url=url, queue_type="quorum", prefetch=5) for url in (cluster.url, turned)]
    clients = [connect(url, queue_type="quorum") for url in (cluster.url, turned)]
    with Load(*clients, callers=2, timeout=10) as load:
        load.wait_for_answers(100)
        victim.kill()
        try:
            wait_until(lambda: clients[0].stats.reconnects == 1, "the client to change nodes", 60)
            load.wait_for_answers(100, 60)
            servers[0].wait_for_output("next attempt in(.|\n)*Awaiting", 60)
            load.pause = 0.02  # else the callers take the processor that the node needs to start
        finally:
            victim.start()
        load.pause = 0.0
        load.wait_for_answers(100, 60)
    load.assert_no_fault(RpcConnectionLost, RpcTimeout, *RpcTimeout.__subclasses__())
    assert all(server.running for server in servers)
    # Not the client that changed nodes: when its first request met the dead leader, RabbitMQ 3.10
    # can hold back what its channel publishes later (rabbitmq-server issue 3671): calls time out.
    assert clients[1].call(10, timeout=30) == 55
    assert connect(cluster.url, queue_type="quorum").call(11, timeout=30) == 89
    assert others[0].members(queue) == {node.node for node in cluster.nodes}


def running(node: PrivateBroker) -> set[str]:
    """Return the names of the running nodes of the cluster, as one of them sees it."""
    return set(json.loads(node.ctl("cluster_status", "--formatter=json"))["running_nodes"])


def test_killed_node_rejoins(cluster: Cluster) -> None:
    """A node of three is killed; the others serve, and it rejoins when it is started again."""
    assert cluster.url == ";".join(cluster.urls)
    names = {node.node for node in cluster.nodes}
    first, second, third = cluster.nodes
    assert running(third) == names
    second.kill()
    for url in first.url, third.url:
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            connection.channel().queue_declare(
                "replicated", durable=True, arguments={"x-queue-type": "quorum"}
            )
    second.start()
    assert running(first) == names
    assert second.members("replicated") == names
