"""Errors as they leave a service."""

from __future__ import annotations

from shared import errdefs
from shared.contracts.job import JobEnded


def test_what_no_text_encodes_is_escaped() -> None:
    """Stray bytes of a file's name are shown as escapes, wherever in an error they stand."""
    name = b"f\xe9e".decode("utf-8", "surrogateescape")
    error = errdefs.InvalidArgument(
        f"no {name}", detail={"entry": name, "all": [(name,), {name: 7}], "é": "é", "none": None}
    )

    wire = error.to_wire()

    assert wire["message"] == r"no f\udce9e"
    shown = r"f\udce9e"
    assert wire["detail"] == {"entry": shown, "all": [[shown], {shown: 7}], "é": "é", "none": None}
    assert JobEnded.model_validate_json(JobEnded(error=wire).model_dump_json()).error == wire
