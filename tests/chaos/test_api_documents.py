"""Each answer is as the API's own document has it: its status, its type, and its body.

schemathesis makes the requests, as the document describes them and not; test_api_fuzz sends what no
document would. WHERRY_EXAMPLES says how many each operation gets; a few, always the same, where it
is not set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import requests
import schemathesis
from docker.transport import UnixHTTPAdapter
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks

from services.gateway.domain.docker_openapi.document import document as describe_docker
from tests.support.api_fuzz import some
from tests.support.node import Node
from tests.support.plugin_context import Contexts

_USUALLY: Final = 4
_LIMIT_S: Final = 60
#: It ends the node; they never end.
_LEFT_OUT: Final = frozenset(
    {
        "/wherry/v1/node/shutdown",
        "/events",
        "/wherry/v1/stats",
        "/wherry/v1/plugins/{name}/stats",
    }
)
_ENDLESS: Final = frozenset({"text/event-stream", "application/x-ndjson"})
_CHECKS: Final = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

pytestmark = pytest.mark.timeout(900)

schemathesis.openapi.media_type("application/x-tar", st.binary(max_size=2_048))


@pytest.fixture(scope="module")
def http(fuzzed: Node, contexts: Contexts) -> Iterator[requests.Session]:
    """Speak to the node's socket."""
    with requests.Session() as session:
        session.mount("http://", UnixHTTPAdapter(f"http+unix://{fuzzed.socket}", timeout=_LIMIT_S))
        yield session


def test_docker_s_answers_are_as_described(http: requests.Session) -> None:
    """Whatever is sent, what comes back is in the document of Docker's routes."""
    _conforms(http, describe_docker())


def test_our_own_answers_are_as_described(http: requests.Session, fuzzed: Node) -> None:
    """Whatever is sent, what comes back is in the document of our own routes."""
    _conforms(http, fuzzed.get("/wherry/v1/openapi.json"))


def _conforms(http: requests.Session, document: Mapping[str, Any]) -> None:
    described = schemathesis.openapi.from_dict(dict(document))
    for path in described.keys() - _LEFT_OUT:
        for operation in described[path].values():
            if not _is_endless(operation):
                _send_some(http, operation)


def _is_endless(operation: schemathesis.APIOperation[Any, Any, Any, Any]) -> bool:
    answers = operation.definition.raw["responses"].values()
    return any(_ENDLESS & answer.get("content", {}).keys() for answer in answers)


def _send_some(
    http: requests.Session, operation: schemathesis.APIOperation[Any, Any, Any, Any]
) -> None:
    @some(_USUALLY)
    @given(_cases(operation))
    def answered(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url="http://docker", session=http, timeout=_LIMIT_S)
        case.validate_response(answer, checks=_CHECKS)

    answered()


def _cases(
    operation: schemathesis.APIOperation[Any, Any, Any, Any],
) -> st.SearchStrategy[schemathesis.Case[Any]]:
    right = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    if not (operation.body or operation.query):
        return right  # nothing in it can be wrong
    wrong = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    return st.one_of(right, wrong)
