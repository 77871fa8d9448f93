#!/bin/sh
# Builds one fuzz target with coverage counters and runs it, without cargo-fuzz:
#
#   fuzz/run.sh message -runs=10000000
#
# New inputs go to fuzz/found/<target>; what is worth keeping comes into fuzz/corpus/<target> by
#
#   fuzz/run.sh message -merge=1 fuzz/corpus/message fuzz/found/message
set -eu
cd "$(dirname "$0")/.."
target=$1
shift
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing" \
    cargo +nightly build --release --quiet --manifest-path fuzz/Cargo.toml --target "$host" --bin "$target"
mkdir -p "fuzz/found/$target" "fuzz/corpus/$target"
binary="${CARGO_TARGET_DIR:-fuzz/target}/$host/release/$target"
case " $* " in
*" -merge=1 "*) exec "$binary" "$@" ;;
*) exec "$binary" -max_len=2048 -timeout=5 -dict=fuzz/sip.dict "fuzz/found/$target" \
    "fuzz/corpus/$target" "$@" ;;
esac
