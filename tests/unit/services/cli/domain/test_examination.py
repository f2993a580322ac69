from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from services.cli.domain.diagnosis import Diagnosis, Verdict
from services.cli.domain.examination import Facts, Place, examine

_ROOT = Place(
    path="/var/lib/wherry",
    filesystem="ext4",
    options=("rw", "relatime"),
    free_bytes=50 * 2**30,
    mode=0o700,
    uid=0,
)
_WELL = Facts(
    is_root=True,
    kernel="6.1.0-18-amd64",
    controllers=frozenset({"cpu", "memory", "pids", "cpuset", "io"}),
    has_v1=False,
    has_v2=True,
    are_cgroups_writable=True,
    capabilities=frozenset(
        {"SYS_ADMIN", "CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "SYS_RESOURCE"}
    ),
    has_seccomp=True,
    programs={"runc": "runc version 1.1.5+ds1", "conmon": "conmon version 2.1.6", "ps": "ps 4.0.2"},
    root=_ROOT,
    exec_root=replace(_ROOT, path="/run/wherry", filesystem="tmpfs", mode=0o711),
    socket="/run/wherry/docker.sock",
    redis={"store": "", "gateway": ""},
    has_private_redis=False,
    group="docker",
    inotify_instances=128,
)


def _worst(facts: Facts) -> list[tuple[str, Verdict]]:
    findings = [finding for finding in examine(facts) if finding.verdict is not Verdict.OK]
    assert all(finding.advice for finding in findings), "whoever is told of it asks what to do"
    return [(finding.subject, finding.verdict) for finding in findings]


def test_a_host_that_is_well() -> None:
    """Nothing to do, and exit status 0."""
    assert _worst(_WELL) == []
    diagnosis = Diagnosis(findings=tuple(examine(_WELL)))
    assert diagnosis.exit_status == 0
    assert {one["verdict"] for one in json.loads(diagnosis.to_json())} == {"ok"}


@pytest.mark.parametrize(
    ("change", "subject", "verdict"),
    [
        pytest.param({"is_root": False}, "user", Verdict.PROBLEM, id="not root"),
        pytest.param({"kernel": "4.19.0-25"}, "kernel", Verdict.PROBLEM, id="old kernel"),
        pytest.param({"has_v2": False}, "cgroups", Verdict.PROBLEM, id="no cgroups"),
        pytest.param({"are_cgroups_writable": False}, "cgroups", Verdict.PROBLEM, id="read-only"),
        pytest.param(
            {"controllers": frozenset({"cpu"})}, "cgroups", Verdict.WARNING, id="no memory"
        ),
        pytest.param(
            {"capabilities": frozenset({"CHOWN"})}, "capabilities", Verdict.PROBLEM, id="few"
        ),
        pytest.param(
            {"capabilities": _WELL.capabilities - {"SYS_RESOURCE"}},
            "capabilities",
            Verdict.WARNING,
            id="no resource",
        ),
        pytest.param({"has_seccomp": False}, "seccomp", Verdict.WARNING, id="no seccomp"),
        pytest.param({"programs": {"conmon": None}}, "conmon", Verdict.PROBLEM, id="no conmon"),
        pytest.param(
            {"programs": {"runc": "runc version 0.1.1"}}, "runc", Verdict.PROBLEM, id="old runc"
        ),
        pytest.param(
            {"root": replace(_ROOT, options=("rw", "noexec"))},
            "data root",
            Verdict.PROBLEM,
            id="noexec",
        ),
        pytest.param(
            {"root": replace(_ROOT, filesystem="nfs4")}, "data root", Verdict.PROBLEM, id="nfs"
        ),
        pytest.param({"root": replace(_ROOT, uid=1000)}, "data root", Verdict.PROBLEM, id="owner"),
        pytest.param({"root": replace(_ROOT, mode=0o755)}, "data root", Verdict.WARNING, id="open"),
        pytest.param(
            {"root": replace(_ROOT, free_bytes=1)}, "data root", Verdict.WARNING, id="full"
        ),
        pytest.param({"group": None}, "socket", Verdict.WARNING, id="no group"),
        pytest.param({"redis": {"pull": "refused"}}, "redis", Verdict.PROBLEM, id="no redis"),
        pytest.param({"inotify_instances": 8}, "inotify", Verdict.WARNING, id="few watches"),
    ],
)
def test_what_is_wrong_is_told(change: dict[str, Any], subject: str, verdict: Verdict) -> None:
    """Each thing that is not as it should be is one finding, which says what to do."""
    facts = replace(_WELL, **change)
    assert _worst(facts) == [(subject, verdict)]
    diagnosis = Diagnosis(findings=tuple(examine(facts)))
    assert diagnosis.exit_status == (1 if verdict is Verdict.PROBLEM else 0)
    assert f"\n{subject}: " in diagnosis.to_text()


def test_a_private_redis_that_does_not_run_yet_is_well() -> None:
    """`wherry up` starts it."""
    assert _worst(replace(_WELL, redis={}, has_private_redis=True)) == []
