"""The default seccomp profile."""

from __future__ import annotations

from typing import Any

import pytest

from shared.oci import seccomp
from shared.oci.runtime_spec import DEFAULT_CAPABILITIES


def rules(*more: str, machine: str = "x86_64") -> dict[str, list[dict[str, Any]]]:
    """Return the rules of each call for who holds the default capabilities and *more*."""
    profile = seccomp.default_profile((*DEFAULT_CAPABILITIES, *more), machine=machine)
    found: dict[str, list[dict[str, Any]]] = {}
    for rule in profile["syscalls"]:
        for name in rule["names"]:
            found.setdefault(name, []).append(rule)
    return found


def allowed(*more: str) -> set[str]:
    """Return the calls that may be made with any arguments."""
    return {
        name
        for name, listed in rules(*more).items()
        if any(rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule for rule in listed)
    }


def test_what_is_not_listed_is_not_permitted() -> None:
    """The profile is a list of what is allowed; all else fails with EPERM."""
    profile = seccomp.default_profile((), machine="x86_64")

    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    assert profile["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def test_what_the_kernel_lacks_is_left_out() -> None:
    """Rules for an architecture that no program can use cost the runtime time for nothing."""
    profile = seccomp.default_profile((), machine="x86_64", lacking={seccomp.X32})

    assert profile["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]


def test_a_machine_without_older_programs_has_its_own_calls_only() -> None:
    """Where nothing is said of architectures the runtime takes the machine's."""
    assert "architectures" not in seccomp.default_profile((), machine="riscv64")


@pytest.mark.parametrize(
    "name",
    ["add_key", "keyctl", "request_key", "kexec_load", "io_uring_setup", "userfaultfd", "swapon"],
)
def test_no_capability_brings_what_docker_never_allows(name: str) -> None:
    """What reaches beyond namespaces stays out, whoever calls."""
    everything = ("CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_PTRACE", "CAP_SYS_MODULE", "CAP_BPF")

    assert name not in rules(*everything)


@pytest.mark.parametrize(
    ("capability", "names"),
    [
        ("CAP_SYS_ADMIN", {"mount", "umount2", "setns", "unshare", "clone", "clone3", "fsopen"}),
        ("CAP_SYS_MODULE", {"init_module", "finit_module", "delete_module"}),
        ("CAP_SYS_BOOT", {"reboot"}),
        ("CAP_SYS_TIME", {"clock_settime", "settimeofday"}),
        ("CAP_SYSLOG", {"syslog"}),
        ("CAP_DAC_READ_SEARCH", {"open_by_handle_at"}),
    ],
)
def test_a_capability_brings_what_it_is_for(capability: str, names: set[str]) -> None:
    """Its calls are allowed to who holds it, and to nobody else."""
    assert names <= allowed(capability)
    assert not names & allowed()


def test_the_default_capabilities_bring_chroot() -> None:
    """CAP_SYS_CHROOT is one of Docker's fourteen."""
    assert "chroot" in allowed()


def test_threads_and_children_are_made_without_new_namespaces() -> None:
    """Clone is allowed without namespace flags; clone3, whose flags can't be seen, is not there."""
    (clone,), (clone3,) = rules()["clone"], rules()["clone3"]

    assert clone["args"] == [
        {"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    ]
    assert (clone3["action"], clone3["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert rules(machine="s390x")["clone"][0]["args"][0]["index"] == 1


def test_sockets_to_the_hypervisor_are_refused() -> None:
    """Any address family is fine but AF_VSOCK, which knows no namespaces."""
    (rule,) = rules()["socket"]

    assert rule["args"] == [{"index": 0, "value": 40, "valueTwo": 0, "op": "SCMP_CMP_NE"}]


def test_every_call_is_listed_once() -> None:
    """No call is in two rules that say the same."""
    listed = [name for group in seccomp._ALWAYS.values() for name in group.split()]

    assert len(listed) == len(set(listed))
