"""Docker's lines of progress: the recorded ones of dockerd, byte for byte."""

from __future__ import annotations

import pytest

from services.gateway.domain import progress_line
from shared import errdefs
from shared.contracts.job import JobProgress


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (
            JobProgress(status="Pulling from 127.0.0.1:5000/tap/vol", id="v1"),
            '{"status":"Pulling from 127.0.0.1:5000/tap/vol","id":"v1"}',
        ),
        (JobProgress(status="Digest: sha256:c4"), '{"status":"Digest: sha256:c4"}'),
        (
            JobProgress(status="The push refers to repository [127.0.0.1:5000/tap/vol]"),
            '{"status":"The push refers to repository [127.0.0.1:5000/tap/vol]"}',
        ),
        (
            JobProgress(status="Waiting", id="38aef52eed39"),
            '{"status":"Waiting","progressDetail":{},"id":"38aef52eed39"}',
        ),
        (
            JobProgress(status="Extracting", id="38aef52eed39", current=32768, total=35183),
            (
                '{"status":"Extracting","progressDetail":{"current":32768,"total":35183},"progress":'
                '"[==============================================\\u003e    ]  32.77kB/35.18kB",'
                '"id":"38aef52eed39"}'
            ),
        ),
        (
            JobProgress(status="Extracting", id="c086c5bcd185", current=34098, total=34098),
            (
                '{"status":"Extracting","progressDetail":{"current":34098,"total":34098},"progress":'
                '"[==================================================\\u003e]   34.1kB/34.1kB",'
                '"id":"c086c5bcd185"}'
            ),
        ),
        (
            JobProgress(aux={"Tag": "v1", "Digest": "sha256:c4", "Size": 416}),
            '{"progressDetail":{},"aux":{"Tag":"v1","Digest":"sha256:c4","Size":416}}',
        ),
    ],
)
def test_line(progress: JobProgress, line: str) -> None:
    """Every kind of line is dockerd's, with its keys in its order and its line end."""
    assert progress_line.line(progress) == line.encode() + b"\r\n"


@pytest.mark.parametrize(
    ("current", "total", "shown"),
    [
        (0, 0, None),
        (512, 0, "    512B"),
        (0, 2_000_000, "[>" + " " * 50 + "]       0B/2MB"),
        (1_500_000, 3_000_000_000, "[>" + " " * 50 + "]    1.5MB/3GB"),
        (3000, 2000, "[" + "=" * 50 + ">]      3kB"),
    ],
)
def test_bar(current: int, total: int, shown: str | None) -> None:
    """The bar leaves out what is not known or makes no sense."""
    progress = JobProgress(status="Downloading", id="1", current=current, total=total)
    text = progress_line.line(progress).decode().replace("\\u003e", ">")
    if shown is None:
        assert '"progress":' not in text
    else:
        assert f'"progress":"{shown}"' in text


def test_error_line() -> None:
    """An error is told twice, for clients of two ages."""
    line = progress_line.error_line(errdefs.Internal("incorrect privileges"))
    assert line == (
        b'{"errorDetail":{"message":"incorrect privileges"},"error":"incorrect privileges"}\r\n'
    )
