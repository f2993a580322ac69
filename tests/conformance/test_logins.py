"""Registries that want to know who asks, and registries with a CA of their own."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import tls
from tests.support.node import Node
from tests.support.plugin_context import Contexts
from tests.support.registry import PASSWORD, USER, RegistryServer
from tests.support.registry_content import Content
from tests.support.token_server import TokenServer

_INSTALL = ("plugin", "install", "--grant-all-permissions")
_REFUSED = "access denied, repository does not exist or may require authorization: "
#: Where Docker and Wherry look for the CAs of registries.
_CERTIFICATES = Path("/etc/docker/certs.d")


class Cli:
    """The docker CLI with logins of its own."""

    def __init__(self, node: Node, config: Path) -> None:
        self._node = node
        self._config = config

    def __call__(self, *args: str) -> str:
        """Run it, which must succeed, and return what it printed."""
        return self._node.docker("--config", str(self._config), *args)

    def fails(self, *args: str) -> str:
        """Run it, which must exit with 1, and return the last line of its complaint."""
        return self._node.docker_fails("--config", str(self._config), *args).splitlines()[-1]

    def login(self, authority: str, password: str = PASSWORD) -> tuple[str, ...]:
        """Return the arguments that log USER in."""
        return ("login", "-u", USER, "-p", password, authority)


@pytest.fixture
def cli(node: Node, tmp_path: Path) -> Cli:
    """Give the test a CLI that nobody is logged in with."""
    return Cli(node, tmp_path / "docker")


@pytest.fixture(scope="module")
def basic() -> Iterator[RegistryServer]:
    """Run a registry that takes a name and a password with each request."""
    with RegistryServer(has_login=True) as server:
        yield server


@pytest.fixture(scope="module")
def token_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    """Run a token server."""
    with TokenServer(tmp_path_factory.mktemp("tokens")) as server:
        yield server


@pytest.fixture(scope="module")
def bearer(token_server: TokenServer) -> Iterator[RegistryServer]:
    """Run a registry that takes tokens."""
    with RegistryServer(token=token_server.config) as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tls.Pair:
    """Make a CA that nobody knows."""
    return tls.make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def private(authority: tls.Pair) -> Iterator[str]:
    """Run a registry with a certificate of that CA, and return its address off loopback."""
    pair = tls.issue(authority.key.parent, authority, "server")
    with RegistryServer(tls=pair, has_login=True) as server:
        yield server.authority.replace("127.0.0.1", "0.0.0.0")


@pytest.fixture
def trust(private: str, authority: tls.Pair) -> Iterator[Callable[[], None]]:
    """Give the test a way to have the CA trusted, as an operator does."""
    missing = [path for path in (_CERTIFICATES.parent, _CERTIFICATES) if not path.exists()]
    folder = _CERTIFICATES / private

    def put() -> None:
        folder.mkdir(parents=True)
        shutil.copy(authority.certificate, folder / "ca.crt")

    yield put
    shutil.rmtree(folder, ignore_errors=True)
    for path in reversed(missing):
        if path.exists():
            path.rmdir()


def _there_and_back(cli: Cli, name: str) -> None:
    """Push the plugin, which is there, remove it, install it and upgrade it."""
    cli("plugin", "push", name)
    cli("plugin", "rm", name)
    cli(*_INSTALL, name)
    cli("plugin", "disable", name)
    cli("plugin", "upgrade", "--grant-all-permissions", name)
    cli("plugin", "enable", name)


def test_basic_login(node: Node, cli: Cli, basic: RegistryServer, contexts: Contexts) -> None:
    """After `docker login` to a registry with Basic, push, install and upgrade work."""
    name = f"{basic.authority}/login/plugin"
    node.create(name, contexts.tar())

    assert cli(*cli.login(basic.authority)) == "Login Succeeded"

    _there_and_back(cli, name)


def test_token_login(
    node: Node,
    cli: Cli,
    bearer: RegistryServer,
    token_server: TokenServer,
    contexts: Contexts,
    tmp_path: Path,
) -> None:
    """After `docker login` to a registry with tokens they work too, and no password is kept."""
    name = f"{bearer.authority}/login/plugin"
    node.create(name, contexts.tar())

    assert cli(*cli.login(bearer.authority)) == "Login Succeeded"

    at_login = len(token_server.asked)
    kept = json.loads((tmp_path / "docker" / "config.json").read_text())["auths"]
    assert base64.b64decode(kept[bearer.authority]["auth"]).decode() == f"{USER}:"
    assert kept[bearer.authority]["identitytoken"]
    _there_and_back(cli, name)
    assert {asked.grant for asked in token_server.asked[at_login:]} == {"refresh_token"}


def test_a_wrong_password(cli: Cli, basic: RegistryServer, bearer: RegistryServer) -> None:
    """A login that is refused ends with 1 and dockerd's words, and is not kept."""
    assert cli.fails(*cli.login(basic.authority, "wrong")) == (
        f"Error response from daemon: login attempt to http://{basic.authority}/v2/ failed with "
        "status: 401 Unauthorized"
    )
    assert cli.fails(*cli.login(bearer.authority, "wrong")) == (
        f'Error response from daemon: Get "http://{bearer.authority}/v2/": unauthorized: token '
        "server 127.0.0.1 answered 401: incorrect username or password"
    )
    for server in (basic, bearer):
        assert "denied" in cli.fails(*_INSTALL, f"{server.authority}/private/plugin")


def test_nobody_is_logged_in(
    node: Node, cli: Cli, basic: RegistryServer, bearer: RegistryServer, contexts: Contexts
) -> None:
    """Without a login, push and install are denied, and say what the registry said."""
    for server, why in (
        (basic, "authorization failed: no basic auth credentials"),
        (bearer, "server message: insufficient_scope: authorization failed"),
    ):
        name = f"{server.authority}/private/plugin"
        node.create(name, contexts.tar())

        assert cli.fails("plugin", "push", name) == (f"error pushing plugin: push {_REFUSED}{why}")
        assert cli.fails(*_INSTALL, name) == (
            f"Error response from daemon: error resolving plugin reference: pull {_REFUSED}{why}"
        )


def test_anybody_may_install_what_is_public(
    node: Node, cli: Cli, bearer: RegistryServer, contexts: Contexts
) -> None:
    """A registry that gives tokens to anybody is used without a login."""
    name = f"{bearer.authority}/public/plugin"
    node.create(name, contexts.tar())

    _there_and_back(cli, name)


def test_c15_a_login_in_the_header(
    node: Node, cli: Cli, basic: RegistryServer, contexts: Contexts
) -> None:
    """An install takes its login from X-Registry-Auth, base64url of JSON."""
    name = f"{basic.authority}/c15/plugin:latest"
    node.create(name, contexts.tar())
    cli(*cli.login(basic.authority))
    cli("plugin", "push", name)
    node.remove(name)
    login = {"username": USER, "password": PASSWORD, "serveraddress": basic.authority}
    header = base64.urlsafe_b64encode(json.dumps(login).encode()).decode()

    answer = node.http.post(
        "/plugins/pull", params={"remote": name}, json=[], headers={"X-Registry-Auth": header}
    )

    assert answer.status_code == 200, answer.text
    assert "error" not in json.loads(answer.text.splitlines()[-1])
    assert node.get(f"/plugins/{name}/json")["PluginReference"] == name
    held = Content(authority=basic.authority, path="c15/plugin", auth=(USER, PASSWORD))
    assert node.plugin(name)["manifest_digest"] == held.digest()


def test_an_unknown_ca(cli: Cli, private: str) -> None:
    """A registry whose CA nobody knows is not spoken to; the error says where to put the CA."""
    what_next = f"put its CA into {_CERTIFICATES}/{private}/ca.crt"
    for args in (cli.login(private), (*_INSTALL, f"{private}/private/plugin")):
        said = cli.fails(*args)
        assert f"registry {private} is not trusted" in said
        assert said.endswith(what_next)


def test_a_ca_in_certs_d(
    node: Node, cli: Cli, private: str, trust: Callable[[], None], contexts: Contexts
) -> None:
    """With its CA in certs.d, a registry is trusted from the next request on."""
    name = f"{private}/login/plugin"
    node.create(name, contexts.tar())
    assert "is not trusted" in cli.fails(*cli.login(private))

    trust()

    assert cli(*cli.login(private)) == "Login Succeeded"
    _there_and_back(cli, name)


def test_plain_http_off_loopback(cli: Cli, basic: RegistryServer) -> None:
    """A registry without TLS that is neither on loopback nor listed is never asked in the clear."""
    elsewhere = basic.authority.replace("127.0.0.1", "0.0.0.0")
    heard = basic.log

    said = cli.fails(*cli.login(elsewhere))

    assert f"cannot reach registry {elsewhere}: TLS with 0.0.0.0: http: server gave HTTP" in said
    assert said.endswith("name it in WHERRY_INSECURE_REGISTRIES")
    assert basic.log == heard
