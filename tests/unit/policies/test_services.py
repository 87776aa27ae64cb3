"""How the services that policies ask are called."""

from __future__ import annotations

from typing import Any

import pytest

from serai.policies.extension import ExtAuth, http_filter
from serai.policies.services import Called, Retry

AGAIN = Called("guard", retry=Retry(attempts=3, seconds=0.5, longest_seconds=2))


@pytest.mark.parametrize("grpc", [True, False])
def test_a_service_that_may_be_asked_again_is_told_to_envoy(grpc: bool) -> None:  # noqa: FBT001
    _, filter_ = http_filter(ExtAuth(service=AGAIN, grpc=grpc))
    found: Any = filter_
    service = found.grpc_service.envoy_grpc if grpc else found.http_service
    assert service.retry_policy.num_retries.value == 3
    assert service.retry_policy.retry_back_off.base_interval.ToMilliseconds() == 500
