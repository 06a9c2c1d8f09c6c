#!/usr/bin/env bash
# Shows that a proxy's memory does not grow: the demo under steady load, and the resident memory of
# its proxies every 30 seconds. Exit status 1 when one of them has grown by more than 1 MB since the
# first minute, in which connections are opened and buffers find their size.
#
#   scripts/soak.sh MESH [MINUTES [RPS]]      MESH: the binary; 10 minutes and 1000 requests a second
set -euo pipefail

mesh=${1:?usage: scripts/soak.sh MESH [MINUTES [RPS]]}
minutes=${2:-10}
rps=${3:-1000}

# The demo measures two policies for the same time each.
"$mesh" demo --duration $((minutes * 30))s --rps "$rps" --network 127.0.77 --json >/dev/null 2>&1 &
demo=$!
trap 'kill "$demo" 2>/dev/null || true' EXIT

proxies() { pgrep --parent "$demo" --full 'run proxy$'; }
rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
name() { tr '\0' '\n' <"/proc/$1/environ" | sed -n 's/^MESH_PROXY_POLICY_WORKLOAD=.*"pod":"\([^"]*\)".*/\1/p'; }

until [ "$(proxies | wc -l)" -ge 6 ]; do
  kill -0 "$demo" || { echo "soak: the demo did not start; see $mesh demo" >&2; exit 1; }
  sleep 0.2
done
mapfile -t pids < <(proxies)

printf '%8s' seconds
for pid in "${pids[@]}"; do printf '%10s' "$(name "$pid")"; done
echo '   (resident kB)'

declare -A settled last
SECONDS=0
while kill -0 "$demo" 2>/dev/null; do
  line=$(printf '%8d' "$SECONDS")
  for pid in "${pids[@]}"; do
    kb=$(rss_kb "$pid" 2>/dev/null) || break 2
    last[$pid]=$kb
    if [ "$SECONDS" -le 60 ]; then settled[$pid]=$kb; fi
    line+=$(printf '%10d' "$kb")
  done
  echo "$line"
  sleep 30
done

for pid in "${pids[@]}"; do
  growth=$((last[$pid] - settled[$pid]))
  if [ "$growth" -gt 1024 ]; then
    echo "soak: a proxy grew by $growth kB after the first minute" >&2
    exit 1
  fi
done
echo "soak: no growth"
