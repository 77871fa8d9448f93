#!/bin/sh
# Makes steer.o of steer.c. Debian: apt-get install clang llvm libbpf-dev
set -eu
cd "$(dirname "$0")"
include="/usr/include/$(uname -m)-linux-gnu"
clang -target bpf -mcpu=v2 -O2 -Wall -Werror -I "$include" -c steer.c -o steer.o
llvm-objcopy --strip-debug steer.o
llvm-objdump -d steer.o
