"""Short questions: privileges and logins."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from services.pull import ports
from services.pull.adapters.archive import DiskArchives
from services.pull.service.questions import Questions
from services.pull.service.resolving import Resolver
from shared import errdefs
from shared.contracts.job import Sealed
from shared.contracts.pull import GetPrivileges, LogIn
from shared.oci import media_types
from shared.oci.digest import digest_of
from shared.sealing import Opener, new_key, public_bytes, seal
from tests.support.bus import delivery
from tests.support.plugin_image import image
from tests.support.pull import MACHINE, REMOTE, FakeRegistries

KEY = new_key()
AUTH = {"username": "robin", "password": "cuckoo"}


def _sealed(auth: Any = AUTH, subject: str = "s1") -> Sealed:
    return seal(public_bytes(KEY), json.dumps(auth).encode(), subject)


def _questions(registries: FakeRegistries) -> Questions:
    return Questions(
        registries=registries,
        archives=DiskArchives(Path("/nonexistent")),
        resolver=Resolver(machine=MACHINE),
        opener=Opener(KEY),
    )


async def test_privileges_are_those_of_the_config() -> None:
    """Manifest and config are fetched, no layer, and the answer is in Docker's form."""
    found = image({"a": b"1"}, PidHost=True)
    registries = FakeRegistries(found)

    reply = await _questions(registries).get_privileges(GetPrivileges(remote=REMOTE), delivery())

    assert [each["Name"] for each in reply.privileges] == ["network", "host pid namespace"]
    assert reply.privileges[0]["Value"] in (["host"], ("host",))
    assert registries.asked[f"blob {digest_of(found.layers[0])}"] == 0


async def test_credentials_and_meta_headers_reach_the_registry() -> None:
    """What was sealed for this question is opened for it."""
    registries = FakeRegistries(image())
    await _questions(registries).get_privileges(
        GetPrivileges(
            remote=REMOTE,
            credentials=_sealed(),
            subject="s1",
            meta_headers={"X-Meta-A": ("1", "2")},
        ),
        delivery(),
    )
    ((_, auth, headers, _),) = registries.opened
    assert auth == AUTH
    assert headers == {"X-Meta-A": ("1", "2")}


async def test_credentials_for_another_question_are_refused() -> None:
    """A replayed box opens nothing, and no registry is asked."""
    registries = FakeRegistries(image())
    command = GetPrivileges(remote=REMOTE, credentials=_sealed(), subject="s2")
    with pytest.raises(errdefs.InvalidArgument, match="does not open"):
        await _questions(registries).get_privileges(command, delivery())
    assert registries.opened == []


async def test_credentials_that_are_no_object_are_refused_without_being_told() -> None:
    """The error does not quote the secret."""
    command = GetPrivileges(remote=REMOTE, credentials=_sealed("hunter2"), subject="s1")
    with pytest.raises(errdefs.InvalidArgument, match="not a JSON object") as caught:
        await _questions(FakeRegistries()).get_privileges(command, delivery())
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_errors_are_the_registrys() -> None:
    """An unknown plugin is an error, not an empty list."""
    with pytest.raises(errdefs.NotFound, match="error resolving plugin reference"):
        await _questions(FakeRegistries()).get_privileges(GetPrivileges(remote=REMOTE), delivery())


@pytest.mark.parametrize(
    "found",
    [
        image(config_type=media_types.OCI_IMAGE_CONFIG),
        image(layer_type=media_types.DOCKER_FOREIGN_LAYER_GZIP),
    ],
)
async def test_what_could_not_be_installed_has_no_privileges(found: Any) -> None:
    """Nobody is asked for consent to something that can't be pulled."""
    with pytest.raises(errdefs.InvalidArgument):
        await _questions(FakeRegistries(found)).get_privileges(
            GetPrivileges(remote=REMOTE), delivery()
        )


async def test_a_login_says_what_the_registry_says() -> None:
    """Without an identity token nothing is sealed."""
    registries = FakeRegistries()
    reply = await _questions(registries).log_in(
        LogIn(server_address="r.test", credentials=_sealed(), subject="s1", answer_key=""),
        delivery(),
    )
    assert (reply.status, reply.identity_token) == ("Login Succeeded", None)
    assert registries.asked["login r.test robin"] == 1


async def test_an_identity_token_is_sealed_to_whoever_asked() -> None:
    """It crosses the bus only in a box of the gateway's."""
    registries = FakeRegistries()
    registries.login = ports.Login(status="Login Succeeded", identity_token="token-1")
    gateway = new_key()
    reply = await _questions(registries).log_in(
        LogIn(
            server_address="r.test",
            credentials=_sealed(),
            subject="s1",
            answer_key=base64.b64encode(public_bytes(gateway)).decode(),
        ),
        delivery(),
    )
    assert reply.identity_token is not None
    assert "token-1" not in reply.model_dump_json()
    assert Opener(gateway).open(reply.identity_token, "s1") == b"token-1"


async def test_a_refused_login_is_the_registrys_error() -> None:
    """The text comes through as it is."""
    registries = FakeRegistries()
    registries.login = errdefs.Unauthenticated("unauthorized: incorrect username or password")
    with pytest.raises(errdefs.Unauthenticated, match="incorrect username"):
        await _questions(registries).log_in(
            LogIn(server_address="r.test", credentials=_sealed(), subject="s1", answer_key=""),
            delivery(),
        )
