"""The virtual fleet from outside: faults that can be seen in the figures, and a reset that leaves nothing behind."""

from tests.support.stack import Api
from tests.support.waiting import until

FLEET = 'count({fleet="demo",server!=""})'


async def test_a_fault_shows_in_the_figures_and_in_the_truth(api: Api) -> None:
    """A process runs away on a server that has little to do."""
    usual = await until(lambda: api.value('cpu{server="cache-01"}'))
    status, fault = await api.call(
        "POST", "/api/v1/fleet/faults", {"kind": "cpu_runaway", "server": "cache-01", "duration_seconds": 600, "severity": 1.0}
    )
    assert status == 201
    assert fault["server"] == "cache-01"
    assert "cpu" in {symptom["metric"] for symptom in fault["symptoms"]}

    async def risen() -> bool:
        return any(value > usual[0] + 15.0 for value in await api.value('cpu{server="cache-01"}'))

    await until(risen, 90)
    truth = await api.get("/api/v1/fleet/faults")
    assert fault["id"] in {item["id"] for item in truth["items"]}
    assert (await api.call("DELETE", f"/api/v1/fleet/faults/{fault['id']}"))[0] == 204


async def test_a_reset_leaves_nothing_behind(api: Api) -> None:
    """On return no sample, no server and no injected fault is left; the next fleet is whole again."""
    await until(lambda: api.value(FLEET))
    before = await api.get("/api/v1/fleet")
    await api.post("/api/servers/reset", {})
    assert await api.value(FLEET) == []
    assert await api.value('count(last_over_time({fleet="demo",server!=""}[14d]))') == []
    listed = await api.get("/api/v1/servers", page_size="500")
    assert not [server for server in listed["items"] if server["labels"].get("fleet") == "demo"]
    empty = await api.get("/api/v1/fleet")
    assert empty["servers"] == []
    assert empty["generation"] > before["generation"]
    assert not [fault for fault in (await api.get("/api/v1/fleet/faults"))["items"] if fault["source"] == "injected"]
    for count in range(3):
        await api.post("/api/servers/generate", {"currentCount": count})

    async def three() -> bool:
        return await api.value('count(cpu{fleet="demo"})') == [3.0]

    await until(three, 30)
