#!/bin/sh
# Installs valgrind and a C compiler where they are missing and this system's packages have them.
set -eu

if command -v valgrind >/dev/null && command -v cc >/dev/null \
    && echo '#include <valgrind/memcheck.h>' | cc -E - >/dev/null 2>&1; then
    exit 0
fi
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
if command -v apt-get >/dev/null; then
    $as_root apt-get update -qq
    # Valgrind needs the symbols of the loader, which Debian has in a package of their own.
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq valgrind gcc libc6-dev libc6-dbg
elif command -v dnf >/dev/null; then
    $as_root dnf install -y -q valgrind valgrind-devel gcc
elif command -v pacman >/dev/null; then
    $as_root pacman -S --noconfirm --needed valgrind gcc debuginfod
elif command -v brew >/dev/null; then
    brew install valgrind
else
    echo "Please install valgrind, its headers and a C compiler: no package manager that I know." >&2
    exit 1
fi
