"""What policies can ask for: one file a feature, and the table of them in the order they act."""

from __future__ import annotations

from collections.abc import Mapping

from serai.policies.acl import ACL
from serai.policies.api_key_auth import API_KEY_AUTH
from serai.policies.authorization import AUTHORIZATION
from serai.policies.auto_host_rewrite import AUTO_HOST_REWRITE
from serai.policies.basic_auth import BASIC_AUTH
from serai.policies.buffer import BUFFER
from serai.policies.compression import REQUEST_DECOMPRESSION, RESPONSE_COMPRESSION
from serai.policies.cors import CORS
from serai.policies.csrf import CSRF
from serai.policies.ext_auth import EXT_AUTH
from serai.policies.ext_proc import EXT_PROC
from serai.policies.fault_injection import FAULT_INJECTION
from serai.policies.feature import Feature
from serai.policies.header_modifiers import HEADER_MODIFIERS
from serai.policies.internal_redirect import INTERNAL_REDIRECT
from serai.policies.oauth2 import OAUTH2
from serai.policies.rate_limit_global import RATE_LIMIT_GLOBAL
from serai.policies.rate_limit_local import RATE_LIMIT_LOCAL
from serai.policies.rbac import RBAC
from serai.policies.retry import RETRY
from serai.policies.stat_prefix import STAT_PREFIX
from serai.policies.timeouts import TIMEOUTS
from serai.policies.tokens import JWT_AUTH, REQUEST_AUTHENTICATION
from serai.policies.tracing import TRACING
from serai.policies.transformation import TRANSFORMATION
from serai.policies.url_rewrite import URL_REWRITE

FEATURES: tuple[Feature, ...] = (
    CORS,
    FAULT_INJECTION,
    ACL,
    OAUTH2,
    EXT_AUTH,
    JWT_AUTH,
    REQUEST_AUTHENTICATION,
    BASIC_AUTH,
    API_KEY_AUTH,
    AUTHORIZATION,
    RBAC,
    EXT_PROC,
    RATE_LIMIT_LOCAL,
    RATE_LIMIT_GLOBAL,
    REQUEST_DECOMPRESSION,
    TRANSFORMATION,
    HEADER_MODIFIERS,
    CSRF,
    BUFFER,
    RESPONSE_COMPRESSION,
    TIMEOUTS,
    RETRY,
    URL_REWRITE,
    AUTO_HOST_REWRITE,
    INTERNAL_REDIRECT,
    STAT_PREFIX,
    TRACING,
)
"""In the order in which they act on a request.  Nowhere else is that order written down."""

BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}

ORDER: Mapping[str, int] = {feature.name: place for place, feature in enumerate(FEATURES)}

ADDITIVE: frozenset[str] = frozenset(feature.name for feature in FEATURES if feature.additive)

MERGING: frozenset[str] = frozenset(feature.name for feature in FEATURES if feature.merge)
