# The first program of a machine: gives the host's user an account, then becomes the system's own init, or waits where
# it has none. Next to nothing but the shell need be there.
#
#   sh -c SCRIPT mvm-machine USER UID GID HOME [GROUP:GID]...
#
# shellcheck shell=sh disable=SC2093,SC2172,SC3013 # SIGRTMIN+3 has no name here; -ef is in every sh that there is
user=$1 uid=$2 gid=$3 home=$4
shift 4

# without FILE NAME NUMBER: the lines of a file such as /etc/passwd that are not of that name or number.
without() {
  while IFS= read -r line || [ -n "$line" ]; do
    number=${line#*:*:}
    case $line in "$2":*) continue ;; esac
    [ "${number%%:*}" = "$3" ] || printf '%s\n' "$line"
  done <"$1"
}

has_account() {
  while IFS=: read -r name _ number _; do
    [ "$name" != "$user" ] || [ "$number" != "$uid" ] || return 0
  done </etc/passwd
  return 1
}

make_account() {
  shell=/bin/sh
  for each in /bin/bash /usr/bin/bash; do [ ! -x "$each" ] || shell=$each; done
  others=$(without /etc/passwd "$user" "$uid")
  printf '%s\n%s\n' "$others" "$user:x:$uid:$gid::$home:$shell" >/etc/passwd
  [ ! -f /etc/shadow ] || {
    others=$(without /etc/shadow "$user" -)
    printf '%s\n%s\n' "$others" "$user:*:19000:0:99999:7:::" >/etc/shadow
  }
  [ ! -d /etc/sudoers.d ] || printf '#%s ALL=(ALL:ALL) NOPASSWD: ALL\n' "$uid" >/etc/sudoers.d/mvm-machine
  [ ! -d /etc/doas.d ] || printf 'permit nopass %s\n' "$user" >/etc/doas.d/mvm-machine.conf
}

# join NAME GID: a group that is there by name or number gets the user as a member, else it is made.
join() {
  found=
  while IFS= read -r line || [ -n "$line" ]; do
    rest=${line#*:*:}
    if [ "${line%%:*}" = "$1" ] || [ "${rest%%:*}" = "$2" ]; then
      found=1
      case ,${line##*:}, in
        *,"$user",*) ;;
        ,,) line=$line$user ;;
        *) line=$line,$user ;;
      esac
    fi
    printf '%s\n' "$line"
  done </etc/group
  [ -n "$found" ] || printf '%s\n' "$1:x:$2:$user"
}

[ -f /etc/passwd ] || printf 'root:x:0:0:root:/root:/bin/sh\n' >/etc/passwd
[ -f /etc/group ] || printf 'root:x:0:\n' >/etc/group
if ! has_account; then
  make_account
  for each; do
    lines=$(join "${each%:*}" "${each##*:}")
    printf '%s\n' "$lines" >/etc/group
  done
fi
: >/run/mvm-machine

for init in /sbin/init /usr/lib/systemd/systemd /lib/systemd/systemd; do
  [ -x "$init" ] || continue
  # Busybox has an init that would do nothing by itself.
  [ ! "$init" -ef /bin/busybox ] || [ -x /sbin/openrc ] || continue
  exec "$init"
done
trap 'exit 0' TERM 37
while :; do
  sleep 2147483647 &
  wait $!
done
