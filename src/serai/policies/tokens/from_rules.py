"""RequestAuthentication.spec.jwtRules -> what is asked of tokens."""

from __future__ import annotations

from serai.api.duration import seconds
from serai.api.networking import GROUP as ISTIO
from serai.api.request_authentication import JWTRule
from serai.policies.feature import BackendReference, Compiled, Context, Fault
from serai.policies.tokens.check import fault_in
from serai.policies.tokens.keys import NOBODYS, NoKeys, key_set
from serai.policies.tokens.requirement import (
    USUAL_SPACED,
    ClaimHeader,
    KeySource,
    Provider,
    TokenHeader,
    Tokens,
)
from serai.policies.tokens.url import Parsed, parsed

USUAL_TIMEOUT_SECONDS = 5.0


def tokens_of_rules(context: Context, rules: tuple[JWTRule, ...]) -> Compiled | Fault:
    """What rules ask for.  One whose keys cannot be had takes no token of its issuer."""
    providers: list[Provider] = []
    faults: list[Fault] = []
    for number, rule in enumerate(rules):
        where = f"jwtRules[{number}]"
        if not rule.issuer:
            return Fault(f"{where}.issuer", "a rule needs an issuer")
        keys = _keys(context, rule)
        if isinstance(keys, Fault):
            message = f"{keys.message}; no token of {rule.issuer} is taken until then"
            faults.append(Fault(f"{where}.{keys.path}", message))
            keys = NOBODYS
        provider = _provider(rule, keys)
        wrong = fault_in(provider)
        if wrong is not None:
            return Fault(f"{where}.{wrong.path}".rstrip("."), wrong.message)
        providers.append(provider)
    required = any(rule.presence == "REQUIRED" for rule in rules)
    tokens = Tokens(tuple(providers), required)
    clusters = (each.cluster for each in tokens.sources if each.cluster)
    return Compiled(tokens, tuple(dict.fromkeys(clusters)), tuple(faults))


def _provider(rule: JWTRule, keys: str | KeySource) -> Provider:
    return Provider(
        issuer=rule.issuer,
        keys=keys,
        audiences=rule.audiences,
        headers=tuple(TokenHeader(each.name.lower(), each.prefix) for each in rule.from_headers),
        params=rule.from_params,
        cookies=rule.from_cookies,
        forward=rule.forward_original_token,
        outputs=tuple(
            ClaimHeader(each.header.lower(), each.claim) for each in rule.output_claim_to_headers
        ),
        payload_header=rule.output_payload_to_header.lower(),
        spaced=rule.space_delimited_claims or USUAL_SPACED,
    )


def _keys(context: Context, rule: JWTRule) -> str | KeySource | Fault:
    """Inline, at a URL, or where the issuer's own configuration says (OpenID Connect)."""
    if rule.jwks:
        found = key_set(rule.jwks)
        return Fault("jwks", found.why) if isinstance(found, NoKeys) else found
    timeout = seconds(rule.timeout) if rule.timeout else USUAL_TIMEOUT_SECONDS
    if not timeout:
        return Fault("timeout", f'"{rule.timeout}" is not a duration such as 5s')
    written = rule.jwks_uri or rule.former_jwks_uri
    url = parsed(written or rule.issuer)
    if isinstance(url, Fault):
        return Fault("jwksUri", url.message if written else f"there are no keys: {url.message}")
    return KeySource(
        url=url.text,
        discovered=not written,
        cluster=_in_mesh(context, url),
        timeout_seconds=timeout,
    )


def _in_mesh(context: Context, url: Parsed) -> str:
    """The cluster of a host that a Service or ServiceEntry has; empty if none has it."""
    reference = BackendReference(ISTIO, "Hostname", url.host, None, url.port)
    found = context.cluster(reference)
    return "" if isinstance(found, Fault) else found
