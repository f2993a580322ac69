from __future__ import annotations

import pytest

from tests.bench.load import Answer

SIZED = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n10\r\n3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize("whole", [SIZED, CHUNKED])
def test_an_answer_is_whole_with_its_last_byte_wherever_it_was_cut(whole: bytes) -> None:
    """An answer in two pieces, cut anywhere, is whole after the second and not before."""
    for cut in range(1, len(whole)):
        answer = Answer()

        answer.feed(whole[:cut])
        assert not answer.is_whole
        answer.feed(whole[cut:])

        assert answer.is_whole
        assert answer.is_ok


@pytest.mark.parametrize("whole", [SIZED, CHUNKED])
def test_an_answer_may_come_byte_by_byte(whole: bytes) -> None:
    """An answer that trickles in is whole at its end alone."""
    answer = Answer()

    seen = []
    for number in range(len(whole)):
        answer.feed(whole[number : number + 1])
        seen.append(answer.is_whole)

    assert seen.index(True) == len(whole) - 1


def test_an_error_is_told() -> None:
    """Another status than 200 is whole and not fine."""
    answer = Answer()

    answer.feed(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")

    assert answer.is_whole
    assert not answer.is_ok
