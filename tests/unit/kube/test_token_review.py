"""Whose tokens are: asked once while it holds, and never guessed."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest

from serai.kube.access import ApiError
from serai.kube.token_review import KNOWN_SECONDS, MOST_TOKENS, REFUSED_SECONDS, TokenReviews
from serai.kube.wire import Failure

AUDIENCE = "serai"


class Api:
    """An API server that knows some tokens."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked: list[str] = []
        self.status: dict[str, Any] | ApiError = {
            "authenticated": True,
            "audiences": [AUDIENCE],
            "user": {"username": "system:serviceaccount:shop:edge"},
        }

    async def create(self, _: object, __: str, body: dict[str, Any]) -> dict[str, Any]:
        """A TokenReview."""
        self.asked.append(body["spec"]["token"])
        assert body["spec"]["audiences"] == [AUDIENCE]
        if isinstance(self.status, ApiError):
            raise self.status
        return {"status": self.status}


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def reviews(api: Api) -> TokenReviews:
    access: Any = api
    return TokenReviews(access, AUDIENCE, lambda: api.now)


def jwt(expires: float) -> str:
    claims = urlsafe_b64encode(msgspec.json.encode({"exp": expires})).decode().rstrip("=")
    return f"header.{claims}.signature"


async def test_a_good_token_is_asked_about_once_while_it_holds(
    api: Api, reviews: TokenReviews
) -> None:
    token = jwt(1000 + 2 * KNOWN_SECONDS)
    for _ in range(3):
        found = await reviews.review(token)
        assert found.user == "system:serviceaccount:shop:edge"
        assert found.expires == 1000 + 2 * KNOWN_SECONDS
    assert len(api.asked) == 1
    api.now += KNOWN_SECONDS + 1
    await reviews.review(token)
    assert len(api.asked) == 2


async def test_no_answer_outlives_its_token(api: Api, reviews: TokenReviews) -> None:
    token = jwt(1010)
    await reviews.review(token)
    api.now = 1011
    api.status = {"authenticated": False, "error": "token has expired"}
    assert (await reviews.review(token)).why == "token has expired"


async def test_a_clock_that_is_ahead_ends_no_token_that_the_api_server_takes(
    api: Api, reviews: TokenReviews
) -> None:
    token = jwt(500)
    for _ in range(3):
        assert (await reviews.review(token)).expires == 1000 + KNOWN_SECONDS
    assert len(api.asked) == 1
    api.now += KNOWN_SECONDS
    api.status = {"authenticated": False}
    assert (await reviews.review(token)).user == ""


async def test_a_bad_token_is_remembered_for_a_moment(api: Api, reviews: TokenReviews) -> None:
    api.status = {"authenticated": False}
    for _ in range(5):
        assert (await reviews.review("bad")).user == ""
    assert len(api.asked) == 1
    api.now += REFUSED_SECONDS + 1
    await reviews.review("bad")
    assert len(api.asked) == 2


async def test_a_token_meant_for_others_is_nobodys(api: Api, reviews: TokenReviews) -> None:
    assert isinstance(api.status, dict)
    for audiences in ([], None, ["https://kubernetes.default.svc"]):
        api.status = {**api.status, "audiences": audiences}
        api.now += REFUSED_SECONDS + 1
        found = await reviews.review("token")
        assert (found.user, found.why) == ("", "it is not meant for serai")


async def test_what_could_not_be_asked_is_not_remembered(api: Api, reviews: TokenReviews) -> None:
    good, api.status = api.status, ApiError(Failure(503))
    with pytest.raises(ApiError):
        await reviews.review("token")
    api.status = good
    assert (await reviews.review("token")).user


async def test_what_is_no_token_is_not_asked_about(api: Api, reviews: TokenReviews) -> None:
    assert (await reviews.review("x" * 100_000)).user == ""
    assert api.asked == []


async def test_memory_has_an_end(api: Api, reviews: TokenReviews) -> None:
    for number in range(MOST_TOKENS + 10):
        await reviews.review(f"token-{number}")
    assert len(reviews._known) == MOST_TOKENS
    assert len(api.asked) == MOST_TOKENS + 10
