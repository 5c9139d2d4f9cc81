"""The harness's cluster: nodes that find each other, and find each other again."""

import json

import pika
import pytest

from harness.broker import PrivateBroker
from harness.cluster import Cluster


def running(node: PrivateBroker) -> set[str]:
    """Return the names of the running nodes of the cluster, as one of them sees it."""
    return set(json.loads(node.ctl("cluster_status", "--formatter=json"))["running_nodes"])


@pytest.mark.timeout(240)
@pytest.mark.xdist_group("cluster")
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
    members = {row["name"]: row["members"] for row in second.table("queues", "name", "members")}
    assert len(members["replicated"]) == 3
