"""What policies can ask for: one file a feature, and the table of them in the order they act."""

from __future__ import annotations

from collections.abc import Mapping

from serai.policies.authorization import AUTHORIZATION
from serai.policies.cors import CORS
from serai.policies.ext_auth import EXT_AUTH
from serai.policies.feature import Feature
from serai.policies.rate_limit_local import RATE_LIMIT_LOCAL
from serai.policies.timeouts import TIMEOUTS

FEATURES: tuple[Feature, ...] = (CORS, EXT_AUTH, AUTHORIZATION, RATE_LIMIT_LOCAL, TIMEOUTS)
"""In the order in which they act on a request.  Nowhere else is that order written down."""

BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}

ORDER: Mapping[str, int] = {feature.name: place for place, feature in enumerate(FEATURES)}

ADDITIVE: frozenset[str] = frozenset(feature.name for feature in FEATURES if feature.additive)
