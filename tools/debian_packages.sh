#!/bin/sh
# Install Debian packages where that can be done without a question: as root, or with password-less sudo.
# Elsewhere name them in one line and go on; whatever needs them says so itself.
# Usage: debian_packages.sh WHAT:PACKAGE…   (a pair is skipped where WHAT is a command on the PATH, or a pattern
# of a file that is there)
missing=""
for pair in "$@"; do
    what="${pair%%:*}"
    case "$what" in
        /*) ls $what >/dev/null 2>&1 && continue ;;
        *) command -v "$what" >/dev/null 2>&1 && continue ;;
    esac
    missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0
as_root=""
if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then as_root="sudo -n"; else
        echo "missing Debian packages:$missing (install them as root: apt-get install$missing)" >&2
        exit 0
    fi
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing programs, and no apt-get to install them:$missing" >&2
    exit 0
fi
echo "installing Debian packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq >&2 && $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    echo "could not install:$missing" >&2
