"""GatewayExtension.spec.jwt, as a TrafficPolicy names it -> what is asked of tokens."""

from __future__ import annotations

from serai.api.duration import seconds
from serai.api.extension_jwt import JWKS, ClaimToHeader, JWTProvider, LocalJWKS, RemoteJWKS
from serai.api.meta import Key
from serai.api.traffic_policy import JWTAuth
from serai.policies.feature import Compiled, Context, Fault
from serai.policies.services import backend
from serai.policies.tokens.check import fault_in
from serai.policies.tokens.keys import NoKeys, key_set
from serai.policies.tokens.requirement import (
    ClaimHeader,
    KeySource,
    Provider,
    TokenHeader,
    Tokens,
)
from serai.policies.tokens.url import parsed

USUAL_REFRESH_SECONDS = 300.0
FACTOR = 10
"""The longest wait between attempts, of the first, where it is not written."""


def tokens_of_extension(context: Context, spec: JWTAuth) -> Compiled | Fault:
    """What the extension asks for; nothing where it is disabled."""
    if spec.disable is not None:
        return Compiled(Tokens())
    if spec.extension_ref is None:
        return Fault("", "one of extensionRef and disable is needed")
    name, namespace = spec.extension_ref.name, spec.extension_ref.namespace
    extension = context.extension(name, namespace)
    if isinstance(extension, Fault):
        return Fault("extensionRef", extension.message, extension.reason)
    if extension.spec.jwt is None or not extension.spec.jwt.providers:
        return Fault("extensionRef", f"{extension.key} has no providers of tokens")
    found: list[Provider] = []
    for number, each in enumerate(extension.spec.jwt.providers):
        provider = _provider(context, extension.key, each)
        if isinstance(provider, Fault):
            where = f"{extension.key} spec.jwt.providers[{number}]"
            return Fault("extensionRef", f"{where}: {provider.message}", provider.reason)
        found.append(provider)
    tokens = Tokens(tuple(found), extension.spec.jwt.validation_mode == "Strict")
    return Compiled(tokens, tuple(dict.fromkeys(each.cluster for each in tokens.sources)))


def _provider(context: Context, extension: Key, written: JWTProvider) -> Provider | Fault:
    keys = _keys(context, extension, written.jwks)
    if isinstance(keys, Fault):
        return keys
    source = written.token_source
    header, parameter = (source.header, source.query_parameter) if source else (None, None)
    provider = Provider(
        issuer=written.issuer,
        keys=keys,
        audiences=written.audiences,
        headers=(TokenHeader(header.header.lower(), header.prefix),) if header else (),
        params=(parameter,) if parameter else (),
        forward=written.forward_token,
        outputs=claim_headers(written.claims_to_headers),
    )
    return fault_in(provider) or provider


def claim_headers(written: tuple[ClaimToHeader, ...]) -> tuple[ClaimHeader, ...]:
    """claimsToHeaders, wherever an extension has it."""
    return tuple(ClaimHeader(each.header.lower(), each.name) for each in written)


def _keys(context: Context, extension: Key, written: JWKS) -> str | KeySource | Fault:
    if (written.local is None) == (written.remote is None):
        return Fault("", "jwks must have one of local and remote")
    if written.remote is not None:
        return _remote(context, extension, written.remote)
    text = _local(context, extension, written.local or LocalJWKS())
    if isinstance(text, Fault):
        return text
    found = key_set(text)
    if isinstance(found, NoKeys):
        return Fault("", f"its keys cannot be read: {found.why}")
    return found


def _local(context: Context, extension: Key, written: LocalJWKS) -> str | Fault:
    if written.inline is not None:
        return written.inline
    if written.config_map_ref is None:
        return Fault("", "jwks.local must have one of inline and configMapRef")
    name = written.config_map_ref.name
    found = context.config_map(name, extension.namespace, extension)
    if isinstance(found, Fault):
        return found
    return found.data.get("jwks") or Fault("", f"ConfigMap {name} has no key jwks")


def _remote(context: Context, extension: Key, written: RemoteJWKS) -> KeySource | Fault:
    url = parsed(written.url)
    if isinstance(url, Fault):
        return Fault("", f"jwks.remote.url: {url.message}")
    cluster = backend(context, extension, written.backend_ref)
    if isinstance(cluster, Fault):
        return cluster
    backing = written.retry_policy.back_off if written.retry_policy else None
    again = written.async_fetch.failed_refetch_duration if written.async_fetch else None
    texts = {
        "cacheDuration": written.cache_duration,
        "retry": again or (backing.base_interval if backing else None),
        "maxInterval": backing.max_interval if backing else None,
    }
    for field, text in texts.items():
        if text and not seconds(text):
            return Fault("", f'jwks.remote: {field} "{text}" is not a duration such as 5m')
    retry = seconds(texts["retry"] or "") or 1.0
    return KeySource(
        url=url.text,
        cluster=cluster,
        refresh_seconds=seconds(written.cache_duration or "") or USUAL_REFRESH_SECONDS,
        retry_seconds=retry,
        longest_retry_seconds=seconds(texts["maxInterval"] or "") or max(60.0, FACTOR * retry),
    )
