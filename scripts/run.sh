#!/bin/sh
# What `make bench` and `make flash` run. The options come through the environment (BOARD, MODEL,
# PORT, POWER, BACKEND, MLPERF), so that any path survives. The exit code is npubench's own.
# Usage: scripts/run.sh bench|flash
set -eu
cd "$(dirname "$0")/.."
verb=${1:?usage: scripts/run.sh bench|flash}
BOARD=${BOARD:-} MODEL=${MODEL:-} PORT=${PORT:-} POWER=${POWER:-} BACKEND=${BACKEND:-} MLPERF=${MLPERF:-}

set -- "$verb"
# A MODEL that is a file is one path; else it may name several models of the zoo.
if [ -z "$MODEL" ]; then
    case $verb in
    bench) set -- "$@" kws vww ic ad ;;
    flash) set -- "$@" kws ;;
    esac
elif [ -e "$MODEL" ]; then
    set -- "$@" "$MODEL"
else
    case $MODEL in
    */* | *.tflite) set -- "$@" "$MODEL" ;;
    *) for word in $MODEL; do set -- "$@" "$word"; done ;;
    esac
fi
for word in $BOARD; do set -- "$@" --board "$word"; done
for word in $BACKEND; do set -- "$@" --backend "$word"; done
if [ -n "$PORT" ]; then set -- "$@" --port "$PORT"; fi
if [ -n "$MLPERF" ]; then set -- "$@" --mlperf "$MLPERF"; fi
if [ -n "$POWER" ]; then set -- "$@" --power "$POWER"; fi

code=0
.venv/bin/npubench "$@" || code=$?
[ "$code" = 0 ] || echo "npubench $verb ended with exit code $code" >&2
exit "$code"
