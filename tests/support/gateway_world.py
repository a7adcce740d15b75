"""A fleet as a browser is shown it: of any size, with roles, sites and dependencies, and with figures of every server."""

from itertools import cycle, islice

from openmanager.metrics.v1 import metrics_pb2
from openmanager.server_gen.v1 import server_gen_pb2
from tests.support.gateway_peers import Peers

ROLES = ("load_balancer", "web", "api", "app", "database", "cache", "queue", "monitoring")
CALLS = {"load_balancer": ("web",), "web": ("api",), "api": ("app", "cache"), "app": ("database", "queue")}
SITES = ("seoul-1", "busan-1", "tokyo-1")


def make_world(peers: Peers, size: int, now_ms: int) -> None:
    """Give the fleet `size` servers, the second of which is in a critical state and the last unknown."""
    servers = []
    for number, role in enumerate(islice(cycle(ROLES), size)):
        server = server_gen_pb2.VirtualServer(id=f"s-{number}", role=role, location=SITES[number // len(ROLES) % len(SITES)])
        server.hostname = f"{role[:8]}-{number // len(ROLES) + 1:02}"
        server.spec.cores, server.spec.memory_bytes, server.spec.disk_bytes = 8, 32 * 2**30, 512 * 10**9
        servers.append(server)
    for server in servers:
        near = [one for one in servers if one.role in CALLS.get(server.role, ()) and one.location == server.location]
        server.depends_on.extend(one.hostname for one in near[:4])
    peers.server_gen.servers = servers
    peers.server_gen.count = size
    for number, server in enumerate(servers):
        health = metrics_pb2.HEALTH_CRITICAL if number == 1 else metrics_pb2.HEALTH_OK
        figures = {"cpu": 97.0 if number == 1 else 20.0 + number % 50, "memory": 40.0 + number % 30, "disk": 55.0}
        seen = metrics_pb2.Server(name=server.hostname, role=server.role, health=health, metrics=figures)
        seen.last_seen.FromMilliseconds(now_ms)
        seen.labels.add(name="fleet", value="demo")
        if number < size - 1:  # the last one has never reported
            peers.metrics.servers.append(seen)
    peers.metrics.servers.sort(key=lambda one: one.name)
