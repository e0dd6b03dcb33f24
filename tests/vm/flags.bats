#!/usr/bin/env bats
# The flags of `mvm run` for rights and limits: capabilities, masked paths, ulimits, kernel parameters, tmpfs.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

# What the guest says of its process's capabilities.
CAPABILITIES='sed -n "s/^Cap\(Inh\|Prm\|Eff\|Bnd\|Amb\):.0*\(.*\)/\1 \2/p" /proc/self/status'

@test "as docker has it: capabilities, hidden and read-only paths, limits" {
  run -0 mvm run --rm "$IMAGE" sh -c "$CAPABILITIES"'
    grep NoNewPrivs /proc/self/status | tr "\t" " "
    for path in /proc/keys /proc/kcore /proc/interrupts /proc/timer_list; do
      [ ! -e $path ] || [ "$(head -c 1 $path | wc -c)" = 0 ] || echo "seen $path"
    done
    ls -A /proc/acpi /sys/firmware 2>/dev/null | grep -v "^/\|^$" && echo seen folders
    for path in /proc/sys/vm/drop_caches /proc/sysrq-trigger /proc/irq/x /proc/fs/x /sys/x /sys/fs/cgroup/x; do
      if (echo 1 >$path) 2>/dev/null; then echo "written $path"; fi
    done
    if mount -t tmpfs none /tmp 2>/dev/null; then echo mounted; fi
    if hostname other 2>/dev/null; then echo renamed; fi
    echo "limits $(ulimit -n) $(ulimit -Hn) $(ulimit -u) $(cat /sys/fs/cgroup/pids.max /proc/self/oom_score_adj | tr "\n" " ")"'
  same $'Inh \nPrm a80425fb\nEff a80425fb\nBnd a80425fb\nAmb \nNoNewPrivs: 0
limits 1048576 1048576 unlimited max 0 ' "$output"
}

@test "another user than root has no capabilities, but the same bound" {
  run -0 mvm run --rm -u 1000 "$IMAGE" sh -c "$CAPABILITIES"
  same $'Inh \nPrm \nEff \nBnd a80425fb\nAmb ' "$output"
}

@test "drop all and add one, in any spelling; no new privileges" {
  run -0 mvm run --rm --cap-drop all --cap-add CAP_chown --security-opt no-new-privileges "$IMAGE" sh -c "$CAPABILITIES"'
    grep NoNewPrivs /proc/self/status | tr "\t" " "
    chown 5:5 /tmp && stat -c %u /tmp
    if chroot / true 2>/dev/null; then echo chroot; fi'
  same $'Inh \nPrm 1\nEff 1\nBnd 1\nAmb \nNoNewPrivs: 1\n5' "$output"
}

@test "--privileged: all capabilities, nothing hidden, all of its machine to write to, its devices" {
  run -0 mvm run --rm --privileged --cap-drop ALL "$IMAGE" sh -c "$CAPABILITIES"'
    [ "$(head -c 1 /proc/timer_list | wc -c)" = 1 ] && echo shown
    echo 1 >/proc/sys/vm/drop_caches && echo proc
    mkdir /sys/fs/cgroup/mine && echo cgroup
    echo 0 >/sys/block/vda/queue/iostats && echo sys
    mount -t tmpfs none /tmp && echo mounted
    [ -b /dev/vda ] && [ -c /dev/kmsg ] && [ -L /dev/ptmx ] && [ ! -e /dev/console ] && echo devices'
  same $'Inh \nPrm 1ffffffffff\nEff 1ffffffffff\nBnd 1ffffffffff\nAmb 
shown\nproc\ncgroup\nsys\nmounted\ndevices' "$output"
}

@test "limits, kernel parameters, groups, names, tmpfs and a variable of ours" {
  OURS=ours run -0 mvm run --rm -u 1000 --ulimit nofile=100:200 --ulimit nofile=64:128 --ulimit core=0 --ulimit nproc=-1 \
    --sysctl net.ipv4.ip_forward=1 --sysctl kernel.shmmax=4097 --sysctl fs.mqueue.msg_max=7 --group-add audio \
    --group-add 4242 --pids-limit 99 --oom-score-adj 123 --domainname example.org --hostname box --shm-size 8m \
    --tmpfs /run:size=3m,mode=755 --tmpfs /new/deep/folder --tmpfs /new --annotation a=b -c 512 -e OURS -e NOT_OURS \
    --security-opt systempaths=unconfined "$IMAGE" sh -c '
    echo "$(ulimit -n) $(ulimit -Hn) $(ulimit -c) $(ulimit -u)"
    cd /proc/sys; cat net/ipv4/ip_forward kernel/shmmax fs/mqueue/msg_max kernel/domainname kernel/hostname
    id -G; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.weight /proc/self/oom_score_adj
    df -k /dev/shm /run | tail -n 2 | tr -s " " | cut -d" " -f2
    stat -c %a /run /new; grep " /new\| /run " /proc/mounts | cut -d" " -f2-4 | cut -d, -f1-4
    echo "$OURS ${NOT_OURS-none}"; [ -w / ] || grep -c " /proc/sys " /proc/mounts; true'
  same '64 128 0 unlimited
1
4097
7
example.org
box
1000 4 29 4242
99
20
123
8192
3072
755
1777
/new tmpfs rw,nosuid,nodev,noexec
/run tmpfs rw,nosuid,nodev,noexec
/new/deep/folder tmpfs rw,nosuid,nodev,noexec
ours none
0' "$output"
}

@test "tmpfs with options to the contrary, over a link of the image, under a read-only root" {
  run -0 mvm run --rm --read-only --tmpfs /tmp:exec,ro --tmpfs /run "$IMAGE" sh -c '
    touch /run/file && echo written; touch /tmp/x 2>/dev/null || echo refused
    grep " /tmp " /proc/mounts | cut -d" " -f4 | cut -d, -f1-4'
  same $'written\nrefused\nro,nosuid,nodev,relatime' "$output"
}

@test "inspect has them where docker has them" {
  mvm create --name kept --cap-add chown --cap-drop all --privileged --ulimit nofile=1:2 --sysctl net.ipv4.ip_forward=1 \
    --tmpfs /run:size=1m --annotation a=b --group-add audio --pids-limit 5 --oom-score-adj 6 --domainname d \
    --security-opt no-new-privileges -c 7 --shm-size 1m "$IMAGE" true
  same '[["CAP_CHOWN"],["ALL"],true,[{"Name":"nofile","Hard":2,"Soft":1}],{"net.ipv4.ip_forward":"1"},{"/run":"size=1m"},{"a":"b"},["audio"],5,6,"d",["no-new-privileges"],7,1048576]' \
    "$(mvm inspect kept | jq -c '.[0] | .Config.Domainname as $domain | .HostConfig | [.CapAdd, .CapDrop, .Privileged,
      .Ulimits, .Sysctls, .Tmpfs, .Annotations, .GroupAdd, .PidsLimit, .OomScoreAdj, $domain, .SecurityOpt, .CpuShares, .ShmSize]')"
  mvm rm kept
}

refused() {
  local expected=$1
  shift
  run --separate-stderr -125 mvm run --rm "$@" "$IMAGE" true
  error_says "$expected"
}

@test "what is refused, in docker's words, before any machine starts" {
  refused 'invalid CapAdd: unknown capability: "CAP_NOSUCH"' --cap-add nosuch
  refused 'invalid CapDrop: unknown capability: "CAP_NOSUCH"' --cap-drop CAP_NOSUCH
  refused 'invalid --security-opt: "nonsense"' --security-opt nonsense
  refused 'invalid --security-opt 2: "other=thing"' --security-opt other=thing
  refused '--security-opt seccomp=/profile.json is not supported' --security-opt seccomp=/profile.json
  refused 'invalid argument "nofile" for "--ulimit" flag: invalid ulimit argument: nofile' --ulimit nofile
  refused 'invalid argument "files=1" for "--ulimit" flag: invalid ulimit type: files' --ulimit files=1
  refused 'ulimit soft limit must be less than or equal to hard limit: 2 > 1' --ulimit nofile=2:1
  refused "invalid argument \"vm.swappiness=1\" for \"--sysctl\" flag: sysctl 'vm.swappiness=1' is not allowed" \
    --sysctl vm.swappiness=1
  refused 'Invalid value 1001, range for oom score adj is [-1000, 1000]' --oom-score-adj 1001
  refused 'invalid argument "many" for "--pids-limit" flag: strconv.ParseInt: parsing "many": invalid syntax' --pids-limit many
  refused "invalid mount path: 'run' mount path must be absolute" --tmpfs run
  refused "invalid specification: destination can't be '/'" --tmpfs /
  refused 'invalid tmpfs option "what"' --tmpfs /run:what
  refused 'devices of the host cannot be passed into a virtual machine' --device /dev/fuse
  refused 'invalid argument "x" for "--stop-timeout" flag' --stop-timeout x
}

@test "what only the guest can know is refused there, with 125" {
  run --separate-stderr -125 mvm run --rm --group-add nosuch "$IMAGE" true
  error_says "unable to find group nosuch"
  run --separate-stderr -125 mvm run --rm --sysctl net.no.such=1 "$IMAGE" true
  error_says "cannot set sysctl net.no.such=1"
}

@test "--stop-signal is what stop sends" {
  mvm run -d --name polite --stop-signal usr1 "$IMAGE" sh -c 'trap "exit 9" USR1; echo ready; while :; do sleep 0.1; done'
  eventually log_has polite ready
  run -0 mvm stop -t 20 polite
  has "$(column polite Status)" "Exited (9)"
  same usr1 "$(mvm inspect -f '{{.Config.StopSignal}}' polite)"
  mvm rm polite
  refused "invalid signal: NOSUCH" --stop-signal NOSUCH
}

@test "--stop-timeout is the patience of stop" {
  mvm run -d --name stubborn --stop-timeout 1 "$IMAGE" sleep 1000
  run -0 mvm stop stubborn
  has "$(column stubborn Status)" "Exited (137)"
  mvm rm stubborn
}
