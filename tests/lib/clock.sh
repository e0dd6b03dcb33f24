# The guest's clock against the host's. Sourced by bash.
#
# shellcheck shell=bash

# clock_drift MVM IMAGE: percent by which the guest's monotonic clock runs faster than the host's, over 3 seconds.
# What arrives late tells nothing, so of 20 readings at each end the one that took the shortest way counts.
clock_drift() {
  # shellcheck disable=SC2016 # for the guest
  "$1" run --rm "$2" sh -c '
    readings() { i=0; while [ $i -lt 20 ]; do cut -d" " -f1 /proc/uptime; sleep 0.013; i=$((i + 1)); done; }
    readings; sleep 3; readings' |
    while read -r guest; do printf '%s %s\n' "$guest" "$EPOCHREALTIME"; done |
    awk '
      { delay = $2 - $1 }
      NR == 1 { base = delay; start = $1 }
      { delay -= base; end = $1 }
      NR <= 20 && (NR == 1 || delay < first) { first = delay }
      NR > 20 && (NR == 21 || delay < last) { last = delay }
      END {
        if (NR != 40) exit 1
        printf "%.2f\n", 100 * (first - last) / (end - start)
      }'
}
