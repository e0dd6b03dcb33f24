# Debian's docker-registry on a free loopback port, for as long as a test or
# demo needs it. Sourced by bash.
#
#   registry_start STORAGE   sets registry_address (127.0.0.1:PORT) and registry_pid
#   registry_stop            ends it and waits for it
#
# shellcheck shell=bash

registry_pid=
registry_address=
registry_folder=

registry_start() {
  local storage=$1 config log
  registry_folder=$(mktemp -d "${TMPDIR:-/tmp}/mvm-registry-XXXXXX")
  config=$registry_folder/config.yml
  log=$registry_folder/log
  mkdir -p "$storage"
  : >"$log"
  cat >"$config" <<END
version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $storage}, delete: {enabled: true}}
http: {addr: "127.0.0.1:${2:-0}", secret: only-for-loopback}
END
  # Descriptor 3 is what bats waits on; a server that held it would hang the suite.
  docker-registry serve "$config" >"$log" 2>&1 </dev/null 3>&- &
  registry_pid=$!
  # The system chose the port; the log says which.
  until registry_address=$(sed -n 's/.*listening on \([0-9.:]*\).*/\1/p' "$log") && [ -n "$registry_address" ]; do
    if ! kill -0 "$registry_pid" 2>/dev/null; then
      printf 'docker-registry did not start: %s\n' "$(tail -n 1 "$log")" >&2
      registry_stop
      return 1
    fi
    sleep 0.02
  done
}

registry_stop() {
  if [ -n "$registry_pid" ]; then
    kill "$registry_pid" 2>/dev/null || true
    wait "$registry_pid" 2>/dev/null || true
  fi
  [ -z "$registry_folder" ] || rm -rf "$registry_folder"
  registry_pid=
  registry_folder=
}

# registry_push LAYOUT TAG NAME: copies an image of an OCI layout into the running registry.
registry_push() {
  skopeo --insecure-policy copy --quiet --all --preserve-digests --dest-tls-verify=false "oci:$1:$2" "docker://$registry_address/$3"
}
