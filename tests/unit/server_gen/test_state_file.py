"""A kept size that cannot be read is told, whatever is wrong with it."""

from pathlib import Path

import pytest

from services.common.errors import OpenManagerError
from services.server_gen.adapters.state_file import StateFile


@pytest.mark.parametrize("text", ["", "garbage", "[" * 100_000, "[]", '{"size": 1e999}', '{"size": -1}', '{"size": true}', "{}"])
def test_a_damaged_size_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fleet.json"
    path.write_text(text)

    with pytest.raises(OpenManagerError, match="cannot be read"):
        StateFile(path).load()
