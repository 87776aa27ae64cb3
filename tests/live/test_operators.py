"""What Envoy itself takes and refuses in texts with operators is what `operators_fault` says."""

import asyncio
from typing import Any

import pytest

from serai.api.operators import nested_fault, operators_fault
from serai.envoy.binary import find_envoy
from serai.envoy.validate import refusal

pytestmark = pytest.mark.live

TAKEN = (
    "100%% sure",
    "%REQ(:PATH)%",
    "%REQ(X-A?:PATH):10%",
    "%START_TIME(%Y-%m-%dT%H:%M:%S)%",
    "%PROTOCOL%%RESPONSE_CODE%",
    "%CEL(size(request.path) > 1)%",
    "%PATH(NQ:ORIG)%",
    "%QUERY_PARAMS(ORIG)%",
    "%METADATA(ROUTE:a:b)%",
    "%FILTER_STATE(a:FIELD:b)%",
    "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:ms)%",
    "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
    "%RESPONSE_CODE_DETAILS(X)%",
    '%UPSTREAM_METADATA(["a","b"])%',
)
REFUSED = (
    "100% sure",
    "%PROTOCOL",
    "%protocol%",
    "%NO_SUCH_THING%",
    "%REQ%",
    "%REQ()%",
    "%REQ(a?b?c)%",
    "%REQ(x",
    "%RESPONSE_CODE:3%",
    "%RESPONSE_CODE(x)%",
    "%REQ(X):-1%",
    "%PATH(Z)%",
    "%PATH(NQ:Z)%",
    "%QUERY_PARAMS(Z)%",
    "%FILTER_STATE(a:FOO)%",
    "%FILTER_STATE(a:FIELD)%",
    "%COMMON_DURATION(x)%",
    "%METADATA(x)%",
    "%ENVIRONMENT()%",
)

_ROUTER = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
_MANAGER = (
    "type.googleapis.com/"
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)


def _bootstrap(text: str) -> dict[str, Any]:
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "x",
        "local_reply_config": {"body_format": {"text_format_source": {"inline_string": text}}},
        "route_config": {"virtual_hosts": [{"name": "x", "domains": ["*"]}]},
        "http_filters": [{"name": "router", "typed_config": _ROUTER}],
    }
    listener = {
        "name": "x",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener]}}


@pytest.mark.parametrize("text", [*TAKEN, *REFUSED])
def test_envoy_thinks_the_same(text: str) -> None:
    """Envoy's own validation is the judge."""
    binary, _ = find_envoy()
    assert binary is not None
    told = asyncio.run(refusal(binary, _bootstrap(text)))
    assert (told == "") == (operators_fault(text) == ""), told or operators_fault(text)


def test_values_inside_others() -> None:
    """A JSON object is looked through."""
    assert nested_fault({"a": ["%PROTOCOL%", 1, None], "b": {"c": True}}) == ""
    assert "%NO%" in nested_fault({"a": [{"b": "%NO%"}]})
