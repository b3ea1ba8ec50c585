#!/bin/sh
# Installs the packages of packages.txt that are missing: tools/deps.sh SECTION...
# One dpkg-query call when all is there (40 ms). Services that come with a package are neither
# started nor left enabled: the tests start their own, on their own ports.
set -eu
cd "$(dirname "$0")/.."

for section; do
    grep -qxF "[$section]" packages.txt && continue
    echo "deps: packages.txt has no section '$section', but" $(sed -n 's/^\[\(.*\)\]$/\1/p' packages.txt) >&2
    exit 2
done
wanted=$(awk -v want=" $* " '
    /^\[/ { section = substr($0, 2, index($0, "]") - 2); next }
    /^[a-z0-9]/ && index(want, " " section " ") { print $1 }' packages.txt)
[ -n "$wanted" ] || { echo "usage: tools/deps.sh SECTION..." >&2; exit 2; }

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: this is no Debian; have these yourself:" $wanted >&2
    exit 0
fi
# A virtual or renamed package counts when something installed provides it.
have=$(dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' 2>/dev/null |
    awk '$1 == "installed" { for (i = 2; i <= NF; i++) { gsub(/[,(].*/, "", $i); print $i } }')
missing=$( (printf '%s\n' "$have"; echo --; printf '%s\n' "$wanted") |
    awk '$1 == "--" { wanted = 1; next } !wanted { have[$1]; next } !($1 in have)')
[ -n "$missing" ] || exit 0

refuse() {
    echo "deps: packages are missing, and $1. As root:" >&2
    echo "    apt-get install -y --no-install-recommends" $missing >&2
    exit 1
}
if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null 2>&1; then
    root=sudo
else
    refuse "neither root nor sudo to install them"
fi
$root true || refuse "sudo does not let you install them"
echo "deps: installing" $missing

policy=${DEPS_POLICY:-/usr/sbin/policy-rc.d} # the tests have it elsewhere
made=
log=$(mktemp)
# A shell that a signal ends runs no EXIT trap, unless the signal makes it exit.
trap '[ -z "$made" ] || $root rm -f "$policy"; rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
if [ ! -e "$policy" ]; then
    made=1
    printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
    $root chmod 755 "$policy"
fi
apt() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1
}
install() { apt install --no-install-recommends $missing; }
if ! install && ! { apt update && install; }; then
    echo "deps: apt-get could not install" $missing >&2
    tail -n 20 "$log" >&2
    echo "deps: is the network or the package mirror there? 'apt-get update' tells" >&2
    exit 1
fi
if [ -d /run/systemd/system ]; then
    for p in $missing; do
        case $p in
        nginx | haproxy | squid-openssl | tinyproxy | privoxy | h2o | trafficserver | varnish | apache2 | caddy | e2guardian)
            $root systemctl disable --now "${p%-openssl}" >/dev/null 2>&1 || true ;;
        esac
    done
fi
