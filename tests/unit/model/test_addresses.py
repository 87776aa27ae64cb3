"""One form of every address, whichever way it is found."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.model.addresses import canonical, is_ip

odd = [
    "1.2.3",
    "1.2.3.04",
    "1.2.3.256",
    " 1.2.3.4",
    "1.2.3.4 ",
    "1.2.3.4\n",
    "\u0661.2.3.4",
    "1.2.3.4.5",
]


@given(st.ip_addresses().map(str))
def test_addresses_are_as_they_are_printed(text: str) -> None:
    assert canonical(text) == str(ip_address(text))
    assert canonical(text.upper()) == str(ip_address(text))
    assert is_ip(text)


@given(st.from_regex(r"[0-9]{1,3}([.][0-9]{1,3}){3}", fullmatch=True))
def test_what_only_looks_like_an_address_is_none(text: str) -> None:
    try:
        expected: str | None = str(ip_address(text))
    except ValueError:
        expected = None

    assert canonical(text) == expected
    assert is_ip(text) == (expected is not None)


@pytest.mark.parametrize("text", odd)
def test_space_around_it_counts_only_for_what_is_to_be_an_address_exactly(text: str) -> None:
    assert not is_ip(text)
    assert canonical(text) == ("1.2.3.4" if text.strip() == "1.2.3.4" else None)
