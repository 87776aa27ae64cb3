"""What rules of an AuthorizationPolicy ask of a request, as neutral values.

They are encoded for Envoy (encode.py) and judged by themselves (judge.py); both say the same.
"""

from __future__ import annotations

from enum import StrEnum

from serai.ir.origin import Value


class Subject(StrEnum):
    """What a text is compared with."""

    PRINCIPAL = "principal"
    """The caller's identity.  A caller without one is matched by nothing."""
    PATH = "path"
    """Without the query."""
    HEADER = "header"
    """By its name; :authority and :method too."""
    SERVER_NAME = "server name"
    CLAIM = "claim"
    """Of the caller's token, by its path; of a list any entry."""
    METADATA = "metadata"
    """By filter and key."""


class Form(StrEnum):
    """How a text is compared."""

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    PRESENT = "present"
    """Not empty."""
    REGEX = "regex"
    """RE2, of the whole text."""
    TEMPLATE = "template"
    """A path with ``*`` for one element and ``**`` for any number of them."""
    LISTED = "listed"
    """One entry of a list."""


class Compare(Value, frozen=True):
    """Compares a text."""

    subject: Subject
    form: Form
    value: str = ""
    name: tuple[str, ...] = ()
    ignore_case: bool = False


class Address(StrEnum):
    """Which address lies in a range."""

    SOURCE = "source"
    """Of the connection's other end, as the PROXY protocol or a tunnel tells it."""
    REMOTE = "remote"
    """Of the client, as x-forwarded-for or the PROXY protocol says."""
    DESTINATION = "destination"


class InRange(Value, frozen=True):
    """Whether an address lies in a CIDR range."""

    address: Address
    cidr: str


class OnPort(Value, frozen=True):
    """Whether the caller was connecting to a port."""

    port: int


class AllOf(Value, frozen=True):
    """All of them; of none: always."""

    parts: tuple[Predicate, ...] = ()


class AnyOf(Value, frozen=True):
    """Any of them; of none: never."""

    parts: tuple[Predicate, ...] = ()


class Not(Value, frozen=True):
    """The contrary."""

    part: Predicate


Predicate = Compare | InRange | OnPort | AllOf | AnyOf | Not

ALWAYS = AllOf()


class Rule(Value, frozen=True):
    """A rule: who calls, and what for.  Envoy: the principals and permissions of a policy."""

    number: int
    """Its place among the rules as they were written."""
    who: Predicate = ALWAYS
    what: Predicate = ALWAYS
