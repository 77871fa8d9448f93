#!/usr/bin/env bash
# What calls, idle calls and registrations cost, beside Kamailio and SIPp: one run on one machine with
# one generator, and one table. About six minutes when everything is built.
#   benches/signalling.sh            installs what is missing, builds, measures
#   benches/signalling.sh --build    only builds, for a quiet machine later
# STROWGER=FILE measures that binary; RESULTS=FILE keeps the lines that the table is made of.
# It asserts no time. It fails when a call, a registration or a request fails.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install figures
target=${CARGO_TARGET_DIR:-target}
if [ -z "${STROWGER:-}" ]; then
  cargo build --locked --release -p server --bin strowger
fi
cargo build --locked --release -p benches --bin signalling
cargo bench --locked -p benches --bench sip --no-run
if [ "${1:-}" = --build ]; then exit; fi

strowger=${STROWGER:-$target/release/strowger}
results=${RESULTS:-$(mktemp)}
: >"$results"
ulimit -n "$(ulimit -Hn)"
if [ "$(sysctl -n net.core.rmem_max)" -lt 4194304 ]; then
  echo "net.core.rmem_max is small: bursts may be lost and sent again; sysctl -w net.core.rmem_max=4194304" >&2
fi

failed=()
part() {
  printf '\n== %s\n' "$*" >&2
  "$target/release/signalling" --strowger "$strowger" "$@" >>"$results" || failed+=("$*")
}
part calls --target strowger --rates 100,300,500 --rest 3
part calls --target strowger --rates 1000 --seconds 30
part calls --target kamailio --rates 100,300,500,1000 --rest 3
part calls --target sipp --rates 100,1000
part calls --target direct --rates 1000 --seconds 5
part held --calls 10000
part bindings --bindings 50000
printf '\n== parsing\n' >&2
cargo bench --quiet --locked -p benches --bench sip -- 'parse a 1.3 kB INVITE' >&2

printf '\n%s\n%s cores of %s; %s; SIPp %s\n\n' "$(uname -sr)" "$(nproc)" \
  "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
  "$(PATH=$PATH:/usr/sbin kamailio -v | sed -n 's/^version: //p')" \
  "$(sipp -v 2>&1 | sed -n 's/^ *SIPp v*\([^ ]*[0-9A-Z]\).*/\1/p')"
"$target/release/signalling" table "$results" --criterion "$target/criterion"
if [ ${#failed[@]} -gt 0 ]; then
  printf '\nfailed: %s\n' "${failed[@]}"
  exit 1
fi
