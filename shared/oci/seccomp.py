"""Which system calls a container may make: Docker's default profile, as data.

What is not listed fails with EPERM. Names that a machine does not have are passed over by the
runtime, so that one list serves all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any, Final

_EPERM: Final = 1
_ENOSYS: Final = 38
_AF_VSOCK: Final = 40
#: All flags of clone(2) that make a namespace.
_NEW_NAMESPACES: Final = 0x7E020000
#: PER_LINUX, PER_LINUX32, each with UNAME26, and the value that only asks.
_PERSONALITIES: Final = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)

#: What programs of any capability may call, by what it is about.
_ALWAYS: Final = {
    "files": """
        access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3
        faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2
        fchown fchown32 fchownat fcntl fcntl64 fdatasync flock fstat fstat64 fstatat64 fstatfs
        fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 ioctl lchown
        lchown32 link linkat _llseek lseek lstat lstat64 mkdir mkdirat mknod mknodat
        name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2
        pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv rename renameat
        renameat2 rmdir sendfile sendfile64 splice stat stat64 statfs statfs64 statx symlink
        symlinkat sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime
        utimensat utimensat_time64 utimes vmsplice write writev
    """,
    "extended attributes": """
        fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr listxattr llistxattr
        lremovexattr lsetxattr removexattr setxattr
    """,
    "watching files": """
        fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
    """,
    "waiting": """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
        epoll_wait_old eventfd eventfd2 io_cancel io_destroy io_getevents io_pgetevents
        io_pgetevents_time64 io_setup io_submit _newselect pause poll ppoll ppoll_time64 pselect6
        pselect6_time64 select signalfd signalfd4
    """,
    "memory": """
        brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock
        mlock2 mlockall mmap mmap2 mprotect mremap msync munlock munlockall munmap pkey_alloc
        pkey_free pkey_mprotect remap_file_pages
    """,
    "processes": """
        capget capset execve execveat exit exit_group fork getcpu getpgid getpgrp getpid getppid
        getpriority getrlimit getrusage getsid gettid ioprio_get ioprio_set kill pidfd_open
        pidfd_send_signal prctl prlimit64 process_mrelease restart_syscall rseq
        sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
        sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
        sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield setpgid
        setpriority setrlimit setsid tgkill times tkill ugetrlimit vfork wait4 waitid waitpid
    """,
    "tracing one's own children": """
        process_vm_readv process_vm_writev ptrace uretprobe
    """,
    "limiting oneself": """
        landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp
    """,
    "threads": """
        futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list
        get_thread_area set_robust_list set_thread_area set_tid_address
    """,
    "users and groups": """
        getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid
        getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32
        setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 setresuid
        setresuid32 setreuid setreuid32 setuid setuid32
    """,
    "signals": """
        rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
        rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn
    """,
    "time": """
        adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64
        clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer
        gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun
        timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
        timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
    """,
    "sockets": """
        accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom
        recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown
        socketcall socketpair
    """,
    "between processes": """
        ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
        mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop
        semtimedop_time64 shmat shmctl shmdt shmget
    """,
    "the machine": """
        getrandom sysinfo uname
    """,
    "single architectures": """
        arch_prctl arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush modify_ldt
        riscv_flush_icache riscv_hwprobe s390_pci_mmio_read s390_pci_mmio_write
        s390_runtime_instr set_tls swapcontext sync_file_range2
    """,
}
#: What a capability is for, and nobody without it may call.
_BY_CAPABILITY: Final = {
    "CAP_BPF": "bpf",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount
        mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
        sethostname setns syslog umount umount2 unshare
    """,
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYSLOG": "syslog",
}
#: Programs with 64-bit registers and 32-bit pointers; most kernels of x86_64 run none.
X32: Final = "SCMP_ARCH_X32"
#: Beside a machine's own calls, those of the older programs that it runs.
_ARCHITECTURES: Final = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", X32),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}


def default_profile(
    capabilities: Collection[str], *, machine: str, lacking: Collection[str] = ()
) -> dict[str, Any]:
    """Return the profile, as the runtime spec has it, for who holds *capabilities* (`CAP_…`).

    *machine* is what uname(2) says. Follows the default profile of Docker's containers, but for
    the architectures that the kernel is *lacking*: each costs the runtime some ms at every start.
    """
    profile: dict[str, Any] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "syscalls": list(_rules(frozenset(capabilities), machine)),
    }
    if machine in _ARCHITECTURES:
        profile["architectures"] = [a for a in _ARCHITECTURES[machine] if a not in lacking]
    return profile


# Few sets of capabilities are in use on a node, and each start of a container asks for one.
@lru_cache(maxsize=8)
def _rules(capabilities: frozenset[str], machine: str) -> tuple[dict[str, Any], ...]:
    return tuple(_made_rules(capabilities, machine))


def _made_rules(capabilities: Collection[str], machine: str) -> Iterator[dict[str, Any]]:
    names = {name for group in _ALWAYS.values() for name in group.split()}
    for capability, listed in _BY_CAPABILITY.items():
        if capability in capabilities:
            names.update(listed.split())
    yield _allow(*sorted(names))
    for personality in _PERSONALITIES:
        yield _allow("personality", arg=_arg("SCMP_CMP_EQ", personality))
    yield _allow("socket", arg=_arg("SCMP_CMP_NE", _AF_VSOCK))
    if "CAP_SYS_ADMIN" not in capabilities:
        # s390x alone has the flags behind the stack.
        at = 1 if machine == "s390x" else 0
        yield _allow("clone", arg=_arg("SCMP_CMP_MASKED_EQ", _NEW_NAMESPACES, at=at))
        # Its flags lie in memory, out of a filter's sight: who hears ENOSYS calls clone instead.
        yield {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS}


def _allow(*names: str, arg: dict[str, Any] | None = None) -> dict[str, Any]:
    rule: dict[str, Any] = {"names": list(names), "action": "SCMP_ACT_ALLOW"}
    return rule if arg is None else {**rule, "args": [arg]}


def _arg(op: str, value: int, *, at: int = 0) -> dict[str, Any]:
    # To the masked comparison alone, the second value is what must be left under the mask.
    return {"index": at, "value": value, "valueTwo": 0, "op": op}
