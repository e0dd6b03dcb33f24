# A user of this system, who can reach mvm. For the .bats files of tests/vm, whose HOST is a folder that others can reach.
#
# shellcheck shell=bash disable=SC2154 # bats sets HOST

# make_user with|without: USER_MADE, with subordinate ids or without.
make_user() {
  [ "$(id -u)" = 0 ] || skip 'only root can make users'
  USER_MADE=mvm-test-$$
  useradd -M -d "$HOST/home" -s /bin/sh "$USER_MADE"
  if [ "$1" = without ]; then sed -i "/^$USER_MADE:/d" /etc/subuid /etc/subgid; fi
  mkdir -p "$HOST/mvm/initfs" "$HOST/home"
  echo "{}" >"$HOST/config.json"
  cp "$(dirname "$MVM")"/mvm{,-net,-share,-supervisor,-vsock} "$HOST/mvm/"
  cp -L "$(dirname "$MVM")"/initfs/{vmlinux,initramfs.cpio} "$HOST/mvm/initfs/"
  chown "$USER_MADE" "$HOST/home"
}

as_user() {
  MVM_HOME=$HOST/home/.mvm MVM_CONFIG=$HOST/config.json setpriv --reuid "$USER_MADE" --regid "$USER_MADE" --init-groups \
    env HOME="$HOST/home" MVM_ACCEL=tcg XDG_RUNTIME_DIR= PATH="$PATH" "$@"
}

remove_user() { [ -z "${USER_MADE:-}" ] || userdel -rf "$USER_MADE" 2>/dev/null || true; }
