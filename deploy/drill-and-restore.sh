#!/bin/sh
# Drills, then puts back what a dead drill left, and ends with the drill's status. For cron, and as a container's first process: when
# that ends the container ends, and the guardian with it; `restore` waits for the guardian.
pytest "$@" &
drill=$!
trap 'kill -TERM "$drill"' TERM INT HUP
code=0
while kill -0 "$drill" 2>/dev/null; do # a signal ends `wait`, too
  wait "$drill"
  code=$?
done
failover-drill restore || exit
exit "$code"
