#!/usr/bin/env bash
# What a relayed packet costs, and how many calls one core carries, beside rtpengine in user space: one
# run on one machine with one generator, and one table. About ten minutes when everything is built.
#   benches/media.sh            installs what is missing, builds, measures
#   benches/media.sh --build    only builds, for a quiet machine later
# STROWGER=FILE measures that binary; RESULTS=FILE keeps the lines that the table is made of; KINDS
# says which kinds of calls. It asserts no time. It fails when a call cannot be made.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install figures
target=${CARGO_TARGET_DIR:-target}
if [ -z "${STROWGER:-}" ]; then
  cargo build --locked --release -p server --bin strowger
fi
cargo build --locked --release -p benches --bin media
if [ "${1:-}" = --build ]; then exit; fi

strowger=${STROWGER:-$target/release/strowger}
results=${RESULTS:-$(mktemp)}
kinds=${KINDS:-relay srtp opus recorded conference webrtc webrtc-opus webrtc-transcode}
: >"$results"
ulimit -n "$(ulimit -Hn)"

failed=()
load() {
  printf '\n== %s\n' "$*" >&2
  "$target/release/media" --strowger "$strowger" load "$@" >>"$results" || failed+=("$*")
}
for kind in $kinds; do
  case $kind in
    relay)
      for relay in bare rtpengine strowger strowger-kernel; do
        load --kind relay --relay $relay --calls 500,1000
        load --kind relay --relay $relay --calls 500,1000 --beat-us 1000
      done
      load --kind relay --relay bare --calls 1500 --step 200 --most 3100
      load --kind relay --relay rtpengine --calls 600 --step 100
      load --kind relay --relay strowger --calls 1500 --step 200 --most 3100
      load --kind relay --relay strowger-kernel --calls 1500 --step 200 --most 3900
      ;;
    srtp)
      load --kind srtp --relay rtpengine --calls 400,500 --step 100
      load --kind srtp --relay strowger --calls 500,1000,1200 --step 200 --most 3000
      ;;
    opus)
      load --kind opus --relay rtpengine --calls 30 --step 5
      load --kind opus --relay strowger --calls 150,200,250 --step 25
      ;;
    recorded)
      load --kind recorded --relay strowger --calls 500,800,1000 --step 100 --most 2000
      ;;
    conference)
      for relay in strowger strowger-kernel; do
        load --kind conference --relay $relay --calls 50,100,150 --step 50 --most 500
      done
      ;;
    webrtc)
      load --kind webrtc --relay strowger --calls 500,1000,1400 --step 200 --most 3000
      # What it costs that a packet comes to one worker and is another's: about half of them.
      load --kind webrtc --relay strowger --calls 500,1000 --workers 2
      ;;
    webrtc-opus)
      load --kind webrtc-opus --relay strowger --calls 500,1000,1400 --step 200 --most 3000
      ;;
    webrtc-transcode)
      load --kind webrtc-transcode --relay strowger --calls 100,200,250 --step 25 --most 500
      ;;
  esac
done

printf '\n%s\n%s cores of %s; %s\n\n' "$(uname -sr)" "$(nproc)" \
  "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
  "rtpengine $(rtpengine --version 2>&1 | sed -n 's/^Version: *//p')"
"$target/release/media" table "$results"
if [ ${#failed[@]} -gt 0 ]; then
  printf '\nfailed: %s\n' "${failed[@]}"
  exit 1
fi
