#!/bin/bash
# Proves packages.txt: builds and tests this tree in a fresh Debian 12 that has nothing but make.
#   tools/bare-debian.sh FOLDER [COMMAND]      as root, needs debootstrap; COMMAND: "make test"
set -euo pipefail
root=$(realpath -m "$1")
command=${2:-make test}
cd "$(dirname "$0")/.."
[ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase bookworm "$root"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
rm -rf "$root/proxyd"
mkdir -p "$root/proxyd"
tar --exclude=./build --exclude=./bench/bin --exclude=./bench/results -cf - . | tar -xf - -C "$root/proxyd"
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
trap 'umount "$root/proc" "$root/dev"' EXIT
chroot "$root" bash -c "command -v make >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends make; }
    cd /proxyd && $command"
