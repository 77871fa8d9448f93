#!/usr/bin/env bash
# How speech sounds behind a bad network, by PESQ (ITU-T P.862): the same packets into our ear and
# into baresip's receiver (its jitter buffer at its defaults, with and without its concealment);
# and how Opus sounds as we speak it to a far end while the other has G.711.
#   benches/quality.sh            builds, speaks, listens, scores: about a quarter of an hour
# SEEDS="1 2" chooses which packets are lost; QUALITY=FILE is a binary that is built already. It wants baresip, espeak-ng, sox and python3-venv.
# It asserts nothing about the scores; it fails when a call or a tool does.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in baresip espeak-ng sox python3; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install $tool" >&2; exit 1; }
done
quality=${QUALITY:-${CARGO_TARGET_DIR:-target}/release/quality}
[ -n "${QUALITY:-}" ] || cargo build --locked --release --quiet -p benches --bin quality
work=$(mktemp -d)
phone=
trap '[ -z "$phone" ] || kill "$phone" 2>/dev/null || true; rm -rf "$work"' EXIT
venv=${VENV:-$work/venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import pesq' 2>/dev/null || "$venv/bin/pip" install --quiet numpy pesq

speak() { # file, voice, words
  espeak-ng -v "$2" -s 150 -w "$work/raw.wav" "$3"
  sox "$work/raw.wav" -r 8000 -b 16 -c 1 "$work/$1.wav" gain -n -6 pad 0.5 1
}
speak one en-us "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It is easy to tell the depth of a well."
speak two en-gb+f3 "These days a chicken leg is a rare dish. Rice is often served in round bowls. The juice of lemons makes fine punch."
speak three en-us+f2 "The box was thrown beside the parked truck. The hogs were fed chopped corn and garbage. Four hours of steady work faced us."
speak four en-gb "A large size in stockings is hard to sell. The boy was there when the sun rose. A rod is used to catch pink salmon."

cat >"$work/score.py" <<'PYTHON'
import sys, wave
import numpy
from pesq import pesq
def samples(path):
    with wave.open(path) as file:
        return numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
print("%.3f" % pesq(8000, samples(sys.argv[1]), samples(sys.argv[2]), "nb"))
PYTHON
score() { "$venv/bin/python" "$work/score.py" "$work/$1.wav" "$2"; }

start_phone() { # modules beyond the usual
  local dir=$work/phone
  mkdir -p "$dir"
  port=$((20000 + RANDOM % 10000))
  {
    echo "poll_method epoll"; echo "sip_listen 127.0.0.1:$port"
    echo "audio_player aubridge,bridge"; echo "audio_source aubridge,bridge"
    echo "audio_alert aubridge,alert"; echo "audio_buffer 20-160"; echo "jitter_buffer_delay 5-10"
    echo "module_path ${BARESIP_MODULES:-/usr/lib/baresip/modules}"
    for module in g711 l16 aubridge $1; do echo "module $module.so"; done
    echo "module_tmp account.so"; echo "module_app menu.so"
  } >"$dir/config"
  echo "<sip:phone@127.0.0.1>;regint=0;answermode=auto;audio_codecs=L16/8000/1,PCMU/8000/1" >"$dir/accounts"
  : >"$dir/contacts"
  baresip -f "$dir" </dev/null >"$work/phone.log" 2>&1 &
  phone=$!
  sleep 1
}
stop_phone() { kill "$phone" 2>/dev/null || true; wait "$phone" 2>/dev/null || true; phone=; }

: >"$work/scores"
measure() { # who, then what the program is told besides
  local who=$1 loss jitter seed file value
  shift
  for condition in "0 0" "0 50" "5 50" "10 50"; do
    read -r loss jitter <<<"$condition"
    for seed in ${SEEDS:-1 2 3}; do
      for file in one two three four; do
        "$quality" --speech "$work/$file.wav" --loss "$loss" --jitter "$jitter" --seed "$seed" \
          --out "$work/heard.wav" "$@" >>"$work/lines" ||
          { tail -n 20 "$work/phone.log" >&2; exit 1; }
        value=$(score "$file" "$work/heard.wav")
        echo "$who|$loss|$jitter|$value" >>"$work/scores"
      done
    done
  done
}
measure "Strowger"
measure "Strowger, Opus" --opus
if [ "${1:-}" != --ours ]; then
  start_phone ""; measure "baresip" --phone "127.0.0.1:$port"; stop_phone
  start_phone plc; measure "baresip with plc" --phone "127.0.0.1:$port"; stop_phone
fi
[ -z "${LINES_TO:-}" ] || cp "$work/lines" "$LINES_TO"

echo "| receiver | no loss, no jitter | jitter 50 ms | 5 % and 50 ms | 10 % and 50 ms |"
echo "| --- | --- | --- | --- | --- |"
awk -F'|' '
  { key = $2 "|" $3; if (!($1 in seen)) { seen[$1] = 1; order[++n] = $1 }
    sum[$1 key] += $4; count[$1 key]++ }
  END { for (i = 1; i <= n; i++) { who = order[i]; line = "| " who " |"
      split("0|0 0|50 5|50 10|50", keys, " ")
      for (k = 1; k <= 4; k++) line = line sprintf(" %.2f |", sum[who keys[k]] / count[who keys[k]])
      print line } }' "$work/scores"
