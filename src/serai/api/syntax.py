"""What names, hosts, addresses and numbers look like: predicates over strings."""

from __future__ import annotations

import functools
import ipaddress
import re

LONGEST_NAME = 253
HIGHEST_PORT = 65535
LONGEST_VALUE = 16_384
"""Bytes of a header's value."""

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_IS_LABEL = re.compile(_LABEL).fullmatch
_PART = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_IS_SUBDOMAIN = re.compile(rf"{_PART}(\.{_PART})*").fullmatch
_IS_HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*").fullmatch
_IS_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?").fullmatch
_IS_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}").fullmatch
_IS_DURATION = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}").fullmatch
_IS_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?").fullmatch


def is_dns_label(text: str) -> bool:
    """An RFC 1123 label: at most 63 of a-z, 0-9 and inner hyphens."""
    return _IS_LABEL(text) is not None


def is_subdomain(text: str) -> bool:
    """An RFC 1123 subdomain as Kubernetes takes it: labels and dots, at most 253 characters."""
    return len(text) <= LONGEST_NAME and _IS_SUBDOMAIN(text) is not None


def is_hostname(text: str) -> bool:
    """A host name without a wildcard, each label at most 63 characters; not an IP address."""
    return len(text) <= LONGEST_NAME and _IS_HOSTNAME(text) is not None and not is_ip(text)


def is_wildcard_hostname(text: str) -> bool:
    """A host name, or ``*.`` and a host name."""
    return is_hostname(text.removeprefix("*."))


def is_port(number: int) -> bool:
    """A port number from 1 to 65535."""
    return 1 <= number <= HIGHEST_PORT


def is_port_name(text: str) -> bool:
    """An IANA service name: at most 15 of a-z, 0-9 and single inner hyphens, with a letter."""
    return _IS_PORT_NAME(text) is not None


_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IS_IPV4 = re.compile(rf"{_BYTE}(?:[.]{_BYTE}){{3}}").fullmatch


def is_ipv4(text: str) -> bool:
    """An IPv4 address as it is printed, which nearly all of very many are."""
    return _IS_IPV4(text) is not None


def is_ip(text: str) -> bool:
    """An IPv4 or IPv6 address without a zone."""
    if is_ipv4(text):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_cidr(text: str) -> bool:
    """An address range such as ``10.0.0.0/8``; bits below the prefix may be set."""
    address, slash, prefix = text.partition("/")
    if not slash or not prefix.isdecimal():
        return False
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "%" not in address


def is_header_name(text: str) -> bool:
    """An RFC 9110 token of at most 256 characters."""
    return _IS_TOKEN(text) is not None


def is_changeable_header(text: str) -> bool:
    """The name of a header that is not decided elsewhere: no pseudo-header, and not Host."""
    return is_header_name(text) and text.lower() != "host"


def is_header_value(text: str) -> bool:
    """One line of at most 16 KiB, as Envoy is told it: with each percent sign twice."""
    is_line = not any(each in text for each in "\r\n\0")
    return is_line and len(text.replace("%", "%%").encode()) <= LONGEST_VALUE


def is_duration(text: str) -> bool:
    """A Gateway API duration (GEP-2257), such as ``1m30s``."""
    return _IS_DURATION(text) is not None


@functools.lru_cache(maxsize=8192)
def is_label_key(text: str) -> bool:
    """The key of a label or an annotation: an optional subdomain and ``/``, and a name."""
    prefix, slash, name = text.rpartition("/")
    return _IS_LABEL_NAME(name) is not None and (not slash or is_subdomain(prefix))


@functools.lru_cache(maxsize=8192)
def is_label_value(text: str) -> bool:
    """The value of a label: empty or at most 63 characters as in a key's name."""
    return not text or _IS_LABEL_NAME(text) is not None
