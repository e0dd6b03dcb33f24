# Once for all of tests/vm: a registry with the images of tests/lib/fixtures, and a home whose images every test
# shares. Each test leaves it without containers (teardown in vm.bash).
#
# shellcheck shell=bash disable=SC2154 # registry.sh sets some

setup_suite() {
  local lib=$BATS_TEST_DIRNAME/../lib
  export MVM=${MVM:-$BATS_TEST_DIRNAME/../../build/mvm}
  export MVM_HOME=$BATS_SUITE_TMPDIR/home
  export MVM_CONFIG=$BATS_SUITE_TMPDIR/config.json
  unset MVM_KERNEL MVM_LOG MVM_PLATFORM DOCKER_DEFAULT_PLATFORM HTTP_PROXY HTTPS_PROXY NO_PROXY FTP_PROXY ALL_PROXY http_proxy https_proxy no_proxy ftp_proxy all_proxy
  FIXTURES=$("$lib/fixtures")
  export FIXTURES
  # shellcheck source=tests/lib/registry.sh
  . "$lib/registry.sh"
  registry_start "$FIXTURES/registry"
  export REGISTRY=$registry_address REGISTRY_PID=$registry_pid REGISTRY_FOLDER=$registry_folder
  export IMAGE=$REGISTRY/busybox
  echo '{}' >"$MVM_CONFIG"
  # Settles which accelerator works here, so that the notice about it is in nobody's way.
  timeout 120 "$MVM" run --rm "$IMAGE" true
  # What "run" says while it pulls is in nobody's way either.
  local name
  for name in entry defaults stopsignal nocmd badpath layers deb; do "$MVM" pull -q "$REGISTRY/$name"; done
}

teardown_suite() {
  # shellcheck disable=SC2034 # registry_stop reads them
  registry_pid=${REGISTRY_PID:-} registry_folder=${REGISTRY_FOLDER:-}
  registry_stop
}
