#!/usr/bin/env bats
# What a container does not need any more goes back to the host: memory and disk.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

# host_mib CONTAINER: what its VM takes of the host's memory.
host_mib() { numfmt --from=iec --to-unit=Mi "$(mvm stats --no-stream --format '{{.HostMem}}' "$1" | sed 's/iB$//')"; }

takes_less() { [ "$(host_mib "$1")" -lt "$2" ]; }
takes_more() { [ "$(host_mib "$1")" -gt "$2" ]; }

# disk_mib CONTAINER: what its own disk has allocated.
disk_mib() { du -m "$MVM_HOME/containers/$(mvm inspect -f '{{.Id}}' "$1")"/root.* | cut -f 1; }

disk_less() { [ "$(disk_mib "$1")" -lt "$2" ]; }

BIG='dd if=/dev/zero of=/big bs=1M count=300 2>/dev/null; sync'

@test "memory that was freed, files that nobody reads any more while nothing is done, and disk that was deleted" {
  local before during
  # This one is left alone from here on.
  mvm run -d --name cache -m 600m "$IMAGE" sh -c "$BIG; echo written; sleep 10000"
  mvm run -d --name memory -m 600m "$IMAGE" sleep 10000
  eventually log_has cache written
  takes_more cache 350

  before=$(host_mib memory)
  # It keeps the block for as long as nobody reads it.
  mvm exec -d memory sh -c 'dd if=/dev/zero bs=400M count=1 2>/dev/null | (while [ ! -e /go ]; do sleep 0.1; done)'
  eventually takes_more memory $((before + 380))
  during=$(host_mib memory)
  mvm exec memory touch /go
  MVM_PATIENCE=60 eventually takes_less memory $((during - 330))
  takes_less memory $((before + 60))

  # In an ordinary container a deletion is enough; nobody need trim, and nobody may.
  mvm exec memory sh -c "$BIG"
  [ "$(disk_mib memory)" -ge 300 ]
  mvm exec memory sh -c 'rm /big; sync'
  eventually disk_less memory 30
  run -1 mvm exec memory fstrim /
  # What is deleted at the very end, too.
  mvm exec memory sh -c "$BIG; rm /big"
  mvm stop -t 0 memory
  disk_less memory 30

  MVM_PATIENCE=180 eventually takes_less cache 200
  # The file is still there.
  same 300 "$(mvm exec cache sh -c 'cat /big | wc -c' | awk '{ print $1 / 1048576 }')"
  mvm rm -f cache memory
}

@test "fstrim, in a privileged container, gives back what a deletion did not" {
  mvm run -d --rm --privileged --name trim "$IMAGE" sleep 10000
  mvm exec trim sh -c "mount -o remount,nodiscard / && $BIG; rm /big; sync"
  [ "$(disk_mib trim)" -ge 300 ]
  run -0 mvm exec trim fstrim -v /
  has "$output" "bytes trimmed"
  eventually disk_less trim 40
  mvm rm -f trim
}
