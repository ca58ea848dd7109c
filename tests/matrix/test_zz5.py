from __future__ import annotations
from tests.matrix.conftest import *
from tests.matrix.scenes import one_deployed
from tests.matrix.world import World
from tests.cli.account import NAME
def test_x(emulator, tmp_path):
    w = World(emulator, tmp_path / "w")
    one_deployed(w)
    for words in (["scale","3"],["scale","3"],["scale","1","--timeout","30"],["restart","--timeout","60"],["scale","0","--yes"],["restart"],["exec"]):
        d = w.run(*words)
        print("###", words, d.code); print(d.stdout, d.stderr)
    assert 0
