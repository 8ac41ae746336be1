"""Secrets tried from one address: the limit holds on all gateways of a database together."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from gateway.application import create_app
from gateway.errors import Problem, RequestRefused
from gateway.shared_state.tries import TRIES_MAX, WINDOW_MS, Tries, network_of
from tests.support.gateway_database import fresh_database
from tests.unit.gateway.api_world import assert_problem
from tests.unit.gateway.ledger_double import NOW_MS, LedgerDouble, services_over

ADDRESS, ELSEWHERE = "192.0.2.7", "198.51.100.9"
WRONG = {
    "/v1/login/password": {"idgrid": "VAL-0001-X", "password": "wrong"},
    "/v1/letters/open": {"code": "wrong"},
    "/v1/login/passkey": {"credential": {}},
    "/v1/login/key": {"idgrid": "VAL-0001-X"}
    | dict.fromkeys(("public_key", "challenge", "signature"), "QQ=="),
}


@pytest.mark.parametrize("path", sorted(WRONG))
def test_wrong_secrets_of_an_address_are_counted_on_two_gateways_as_on_one(path: str) -> None:
    now = [NOW_MS]
    first = services_over(LedgerDouble(lambda *_: {}), lambda: now[0])
    second = services_over(LedgerDouble(lambda *_: {}), lambda: now[0], readmodel=first.readmodel)
    apps = [create_app(first), create_app(second)]

    async def ask(number: int, address: str) -> httpx.Response:
        transport = httpx.ASGITransport(apps[number % 2], client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            # Another name each time: the lock of a name is another matter.
            body = {
                name: f"VAL-{number:04}-X" if name == "idgrid" else value
                for name, value in WRONG[path].items()
            }
            return await client.post(path, json=body)

    async def play() -> None:
        answers = [await ask(number, ADDRESS) for number in range(TRIES_MAX)]
        assert {answer.status_code for answer in answers} == {401}
        for number in (0, 1):
            refused = await ask(number, ADDRESS)
            assert_problem(refused, Problem.TOO_MANY_REQUESTS)
            assert 0 < int(refused.headers["retry-after"]) <= WINDOW_MS // 1000
        assert (await ask(0, ELSEWHERE)).status_code == 401
        now[0] += WINDOW_MS
        assert (await ask(1, ADDRESS)).status_code == 401

    asyncio.run(play())


def test_what_fits_is_given_back() -> None:
    tries = Tries(fresh_database(), lambda: NOW_MS)
    for _ in range(2 * TRIES_MAX):
        with tries.of(ADDRESS):
            pass
    for _ in range(TRIES_MAX):
        with pytest.raises(KeyError), tries.of(ADDRESS):
            raise KeyError
    with pytest.raises(RequestRefused), tries.of(ADDRESS):
        pass


def side_by_side(tries: Tries, asked: int) -> int:
    """How many of so many tries at once got through."""

    def wrong(_number: int) -> bool:
        try:
            with tries.of(ADDRESS):
                {}["the secret"]
        except KeyError:
            return True
        except RequestRefused:
            return False
        return False

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(wrong, range(asked)))


def test_tries_side_by_side_do_not_outrun_the_limit() -> None:
    assert side_by_side(Tries(fresh_database(), lambda: NOW_MS), 3 * TRIES_MAX) == TRIES_MAX


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_addresses_of_one_network_count_as_one(address: str, network: str) -> None:
    assert network_of(address) == network
