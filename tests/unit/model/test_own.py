"""No object leads to Envoy's admin interface, or to Serai's own sockets."""

import pytest

from serai.model.own import is_own, outside
from serai.model.settings import Settings

POD = Settings(standalone=False, own_paths=("/run/serai",))
HERE = Settings(own_ports=(9095,))


@pytest.mark.parametrize(
    ("address", "port", "settings", "own"),
    [
        ("127.0.0.1", 15000, POD, True),
        ("127.9.9.9", 15000, POD, True),
        ("0.0.0.0", 15000, POD, True),
        ("::1", 15000, POD, True),
        ("::", 15000, POD, True),
        ("::ffff:127.0.0.1", 15000, POD, True),
        ("10.0.0.1", 15000, POD, False),
        ("127.0.0.1", 15001, POD, False),
        ("rebound.example", 15000, POD, True),
        ("localhost", 9095, HERE, True),
        ("a.example", 9095, HERE, False),
        ("127.0.0.1", 9095, HERE, True),
        ("127.0.0.1", 15000, HERE, False),
        ("unix:///run/serai/xds.sock", 0, POD, True),
        ("unix:///run/other/../serai/xds.sock", 0, POD, True),
        ("unix:///run/serai-other/a.sock", 0, POD, False),
        ("unix://@run/serai", 0, POD, False),
    ],
)
def test_is_own(address: str, port: int, settings: Settings, *, own: bool) -> None:
    assert is_own(address, port, settings) is own


def test_a_range_at_such_a_port_loses_the_machine_itself() -> None:
    assert outside("127.0.0.0/8", 15000, POD) == ()
    assert outside("127.0.0.0/8", 443, POD) == ("127.0.0.0/8",)
    left = outside("0.0.0.0/0", 15000, POD)
    assert "126.0.0.0/8" in left
    assert "128.0.0.0/1" in left
    assert not any(each.startswith(("0.", "127.")) for each in left)
    assert outside("10.0.0.0/8", 15000, POD) == ("10.0.0.0/8",)
