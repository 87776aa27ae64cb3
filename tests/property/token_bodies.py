"""Bodies of what asks for tokens."""

from __future__ import annotations

from hypothesis import strategies as st

from property.bodies import GATEWAY_API, ISTIO, NAMES, Raw, gateway_extensions

_KEYS = (
    '{"keys": [{"kty": "OKP", "crv": "Ed25519",'
    ' "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
)
_targets = st.builds(
    lambda aim, name: {**aim, "name": name},
    st.sampled_from(
        [
            {"group": ISTIO, "kind": "ServiceEntry"},
            {"group": "", "kind": "Service"},
            {"group": GATEWAY_API, "kind": "Gateway"},
        ]
    ),
    st.sampled_from(NAMES),
)
_rules = st.fixed_dictionaries(
    {"issuer": st.sampled_from(["https://one.example", "me", ""])},
    optional={
        "jwks": st.sampled_from([_KEYS, "no keys"]),
        "jwksUri": st.sampled_from(["http://two.example:80/keys", "https://b.example", "ftp://c"]),
        "fromHeaders": st.just([{"name": "x-token", "prefix": "Token "}]),
        "outputClaimToHeaders": st.sampled_from(
            [[{"header": "x-a", "claim": "team"}], [{"header": "host", "claim": "team"}]]
        ),
        "presence": st.just("REQUIRED"),
    },
)
_jwks = st.one_of(
    st.just({"local": {"inline": _KEYS}}),
    st.just({"local": {"configMapRef": {"name": "x"}}}),
    st.just({"remote": {"url": "http://x/keys", "backendRef": {"name": "x", "port": 80}}}),
)
_providers = st.fixed_dictionaries(
    {"name": st.sampled_from(NAMES), "jwks": _jwks},
    optional={
        "issuer": st.just("me"),
        "claimsToHeaders": st.just([{"name": "team", "header": "x-a"}]),
    },
)
_extensions = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {
                "jwt": st.fixed_dictionaries(
                    {"providers": st.lists(_providers, max_size=2)},
                    optional={"validationMode": st.sampled_from(["Strict", "AllowMissing"])},
                )
            }
        )
    }
)

TOKEN_BODIES: dict[str, st.SearchStrategy[Raw]] = {
    "RequestAuthentication": st.fixed_dictionaries(
        {
            "spec": st.fixed_dictionaries(
                {"jwtRules": st.lists(_rules, max_size=2)},
                optional={"targetRefs": st.lists(_targets, min_size=1, max_size=2)},
            )
        }
    ),
    "GatewayExtension": st.one_of(gateway_extensions, _extensions),
}
