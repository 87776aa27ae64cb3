"""Which endpoints' own addresses are captured: not those of the proxy's own machine."""

import pytest

from serai.model.addresses import is_elsewhere


@pytest.mark.parametrize("address", ["10.0.0.1", "127.1.2.3", "fd00::1", "abcd::1"])
def test_addresses_of_others(address: str) -> None:
    assert is_elsewhere(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"),
        *("unix:///run/a", "unix://@a", "a.example", "1a.example", "10.0.0.0/24", "fd00::/64", ""),
    ],
)
def test_neither_here_nor_names(address: str) -> None:
    assert not is_elsewhere(address)
