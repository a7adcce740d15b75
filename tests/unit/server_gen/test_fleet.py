import asyncio
import json
from pathlib import Path

import pytest

from services.common.errors import ConflictError, RefusedError, UnavailableError
from services.server_gen.adapters.state_file import StateFile
from services.server_gen.domain.fleet import Fleet


def make(path: Path, *, demo: bool = False, target_size: int = 20) -> Fleet:
    return Fleet(1, target_size, StateFile(path / "server_gen" / "fleet.json"), complete_at_first=demo)


async def test_a_fleet_starts_empty_or_complete_and_then_as_it_was(tmp_path: Path) -> None:
    plain = make(tmp_path)
    await plain.open()
    assert plain.servers == ()

    demo = make(tmp_path, demo=True)
    await demo.open()
    assert len(demo.servers) == 20

    assert await demo.empty() == 20
    await demo.grow()
    again = make(tmp_path, demo=True)
    await again.open()
    assert [server.hostname for server in again.servers] == ["lb-01"]


async def test_growth_ends_when_the_fleet_is_complete(tmp_path: Path) -> None:
    fleet = make(tmp_path, target_size=3)
    await fleet.open()
    grown = [await fleet.grow(believed_size=size) for size in (0, 1, 2)]
    assert [growth.size for growth in grown] == [1, 2, 3]
    assert [growth.server.hostname for growth in grown if growth.server] == ["lb-01", "web-01", "api-01"]
    # A caller whose count is behind learns that all is done, which is what it wanted.
    late = await fleet.grow(believed_size=0)
    assert (late.server, late.size) == (None, 3)


async def test_a_caller_that_is_behind_is_told(tmp_path: Path) -> None:
    fleet = make(tmp_path)
    await fleet.open()
    await fleet.grow()
    with pytest.raises(ConflictError, match="1 servers now, not 0"):
        await fleet.grow(believed_size=0)
    assert len(fleet.servers) == 1
    assert (await fleet.grow(believed_size=7, reset=True)).size == 1


async def test_callers_at_once_each_get_a_server_of_their_own(tmp_path: Path) -> None:
    fleet = make(tmp_path)
    await fleet.open()
    grown = await asyncio.gather(*(fleet.grow() for _ in range(20)))
    assert len({growth.server.hostname for growth in grown if growth.server}) == 20


async def test_a_smaller_target_cuts_the_fleet(tmp_path: Path) -> None:
    fleet = make(tmp_path)
    await fleet.open()
    for _ in range(5):
        await fleet.grow()
    smaller = make(tmp_path, target_size=3)
    await smaller.open()
    assert len(smaller.servers) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"size": "many"}', '{"size": -1}', '{"size": true}'])
async def test_a_damaged_file_is_told_with_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "server_gen" / "fleet.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(RefusedError, match="remove it") as caught:
        await make(tmp_path).open()
    assert caught.value.reason == "FLEET_STATE_UNREADABLE"


async def test_a_change_that_cannot_be_kept_does_not_happen(tmp_path: Path) -> None:
    fleet = make(tmp_path)
    await fleet.open()
    await fleet.grow()
    (tmp_path / "server_gen" / "fleet.new").mkdir()
    with pytest.raises(UnavailableError):
        await fleet.grow()
    assert len(fleet.servers) == 1
    assert json.loads((tmp_path / "server_gen" / "fleet.json").read_text()) == {"size": 1}
