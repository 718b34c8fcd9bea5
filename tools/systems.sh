# shellcheck shell=sh
# For tools/test-systems and tools/test-packages: makes roots of Debian releases and runs commands in them. Who calls it is in the
# repository.

say() { echo "tools/${0##*/}: $*" >&2; }

# Exits with 3 where there can be no roots.
need_roots() {
    if [ "$(id -u)" -ne 0 ]; then
        say "making roots needs root: run this as root or through sudo"
        exit 3
    fi
    if ! command -v debootstrap >/dev/null; then tools/setup systems >&2 || true; fi
    for tool in debootstrap unshare git; do
        if ! command -v "$tool" >/dev/null; then
            say "no $tool here, which making roots needs"
            exit 3
        fi
    done
    if ! unshare --mount --pid --fork true; then
        say "no right to mount here, which roots need"
        exit 3
    fi
    child=
    trap '[ -z "$child" ] || kill -KILL "$child"' EXIT
    trap 'exit 130' HUP INT TERM
}

# Runs in the background and waits, so that a signal is heeded at once. Whatever is mounted is mounted for this command alone, and
# whatever it started ends with it.
apart() {
    unshare --mount --pid --fork --kill-child "$@" </dev/null &
    child=$!
    code=0
    wait "$child" || code=$?
    child=
    return "$code"
}

# A shell command in $root, as a user who just logged in would run it in the repository.
in_root() {
    # shellcheck disable=SC2016 # for the inner shell
    apart sh -ec 'mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; mount --rbind /sys "$1/sys"
        exec chroot "$1" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            ${http_proxy+http_proxy="$http_proxy"} ${https_proxy+https_proxy="$https_proxy"} \
            sh -c "cd /opt/convoy && $2"' sh "$root" "$1"
}

# The mirror that apt has Debian itself from.
find_mirror() {
    # shellcheck disable=SC2016 # for apt-get
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 2>/dev/null | sed -n 's/^Debian|Debian|//p' | head -n 1
}

# make_root NAME FOLDER: the release, unless it is there, with this machine's way to its mirror and a fresh copy of the last commit.
make_root() {
    if [ ! -d "$2" ]; then
        mirror=${CONVOY_MIRROR:-$(find_mirror)}
        if [ -z "$mirror" ]; then
            say "apt here knows no mirror of Debian; name one in CONVOY_MIRROR"
            return 1
        fi
        script= # older debootstraps don't know newer releases, which are made like sid
        [ -e "/usr/share/debootstrap/scripts/$1" ] || script=sid
        say "$(date +%H:%M) $1: debootstrap in $2"
        rm -rf "$2.part"
        if ! apart debootstrap --variant=minbase "$1" "$2.part" "$mirror" $script >"$2.log" 2>&1; then
            tail -n 30 "$2.log" >&2
            say "debootstrap failed; its output's end is above"
            return 1
        fi
        mv "$2.part" "$2"
    fi
    mkdir -p "$2/etc/apt/apt.conf.d"
    cp /etc/apt/apt.conf.d/* "$2/etc/apt/apt.conf.d/" 2>/dev/null || true
    cp /etc/resolv.conf "$2/etc/resolv.conf" 2>/dev/null || true
    rm -rf "$2/opt/convoy"
    mkdir -p "$2/opt/convoy"
    git -c safe.directory="$PWD" archive -o "$2/opt/convoy.tar" HEAD && tar -xf "$2/opt/convoy.tar" -C "$2/opt/convoy"
}
