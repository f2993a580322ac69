# Read by the scripts beside it: saying what is done, keeping its output, installing from apt.
# shellcheck shell=sh

log=build/setup.log

say() {
    printf '%s\n' "$*"
}

stop() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# logged WHAT COMMAND...: say what is done, do it, and show its output only if it fails.
logged() {
    what=$1
    shift
    say "$what"
    mkdir -p build
    printf '\n== %s: %s\n' "$what" "$*" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null && return
    awk '/^== / { step = "" } { step = step $0 "\n" } END { printf "%s", step }' "$log" | tail -n 40 >&2
    stop "failed: $what" "the whole output is in $log; once the cause is gone, run make again"
}

may_use_apt() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

# With --no-remove a conflict (containerd.io of a cluster's node, say) stops the install, not the node.
apt_install() {
    logged "installing $*" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends --no-remove -o DPkg::Lock::Timeout=120 "$@"
}

# A source of somebody else's that is out of reach is no reason to stop: the install will tell.
apt_update() {
    logged "asking apt for what there is" sh -c 'apt-get update || true'
}
