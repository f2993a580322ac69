"""Whatever is sent to whichever operation: an answer of its API, and a node that is well.

WHERRY_EXAMPLES says how many requests each operation gets; a few, always the same, where it is not
set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given

from services.gateway.domain.docker_openapi.document import document as describe_docker
from tests.support.api_fuzz import Call, Said, calls, send, some
from tests.support.node import Node

_USUALLY: Final = 5
_LIMIT_S: Final = 60.0
#: It ends the node.
_LEFT_OUT: Final = frozenset({"/wherry/v1/node/shutdown"})
#: What dockerd gives no class to, and so answers 500, in its own words.
_DOCKERDS_500: Final = re.compile(
    r"strconv\.\w+: parsing|.*invalid reference format|(failed to parse|invalid) reference"
    r"|repository name must|invalid character|(unexpected )?EOF$|json: cannot unmarshal"
    r"|unexpected content after JSON"
    r"|login attempt to|Get \"?http|.*(connection refused|no rootfs found|config\.json)"
    r"|archive/tar: |unexpected EOF|gzip: |rpc error: code = Unknown"
    r"|Bad parameters: you must choose at least one stream|error making log selector",
    re.DOTALL,
)
#: Refused because there is no swarm, or no registry that answers.
_ELSEWHERE: Final = (501, 503, 504)
#: Of an API that old, errors are plain text.
_OLD: Final = re.compile(r"/v1(\.1)?(/|\?|$)")

pytestmark = pytest.mark.timeout(600)


def test_docker_s_routes_bear_anything(fuzzed: Node) -> None:
    """Each answer is Docker's: 500 where dockerd says so in these words, and nowhere else."""
    _fuzz(fuzzed, describe_docker(), _is_docker_s)


def test_our_own_routes_bear_anything(fuzzed: Node) -> None:
    """Each refusal has a class and a message, and none is a fault of ours."""
    _fuzz(fuzzed, fuzzed.get("/wherry/v1/openapi.json"), _is_ours)


def _fuzz(node: Node, document: Mapping[str, Any], check: Any) -> None:
    before = node.pids()
    for path, operations in document["paths"].items():
        for method in operations.keys() if path not in _LEFT_OUT else ():
            _send_some(node, document, method.upper(), path, check)
    node.wait_healthy()
    assert node.pids() == before
    log = (node.folder / "log").read_text(errors="replace")
    assert "request failed" not in log
    assert "Traceback" not in log


def _send_some(node: Node, document: Mapping[str, Any], method: str, path: str, check: Any) -> None:
    @some(_USUALLY)
    @given(calls(document, method, path))
    def answered(call: Call) -> None:
        said = send(node.socket, call, limit_s=_LIMIT_S)
        if said.status >= 400 and call.method != "HEAD":
            assert check(call, said), f"{said} to {call}"

    answered()


def _is_docker_s(call: Call, said: Said) -> bool:
    if _OLD.match(call.target) and said.content_type.startswith("text/plain"):
        return said.status < 500 and said.body.endswith(b"\n")
    message = json.loads(said.body)["message"]
    is_expected = said.status < 500 or said.status in _ELSEWHERE
    return bool(message) and (is_expected or _DOCKERDS_500.match(message) is not None)


def _is_ours(call: Call, said: Said) -> bool:
    if not call.target.startswith("/wherry/v1"):
        return _is_docker_s(call, said)
    told = json.loads(said.body)
    # Health says of each service how it is, and so answers 503 with that.
    is_refusal = set(told) == {"code", "message", "detail"} and bool(told["message"])
    return is_refusal and (said.status < 500 or said.status in _ELSEWHERE)
