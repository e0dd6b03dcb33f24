#!/usr/bin/env bats
# The root disk as the guest's kernel reads it: the image that is made to hurt (tests/integration/disk/make-layers).
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash
# shellcheck source=tests/lib/oci.sh
. "$BATS_TEST_DIRNAME/../lib/oci.sh"
# shellcheck source=tests/lib/busybox.sh
. "$BATS_TEST_DIRNAME/../lib/busybox.sh"

# Pushes $REGISTRY/hurt: the layers of make-layers, and busybox on top.
push_hurt() {
  local layout=$BATS_TEST_TMPDIR/hurt tars=$BATS_TEST_TMPDIR/tars busybox=$FIXTURES/layouts/busybox blob tar layers=()
  mkdir "$tars"
  "$BATS_TEST_DIRNAME/../integration/disk/make-layers" "$tars"
  blob=$(jq -r '.manifests[0].digest' "$busybox/index.json")
  blob=$(jq -r '.layers[0].digest' "$busybox/blobs/${blob/://}")
  gunzip -c "$busybox/blobs/${blob/://}" >"$tars/top.tar"
  for tar in "$tars"/layer*.tar "$tars/huge.tar" "$tars/top.tar"; do layers+=("$(oci_layer "$layout" "$tar")"); done
  oci_tag "$layout" latest "$(oci_manifest "$layout" "$(oci_arch)" '"Cmd":["sh"]' "${layers[@]}")"
  skopeo --insecure-policy copy --quiet --dest-tls-verify=false "oci:$layout:latest" "docker://$REGISTRY/hurt"
}

@test "an image made to hurt" {
  local folders disk tree=$BATS_TEST_DIRNAME/../../build/tests/integration/disk/ext4-tree found=$BATS_TEST_TMPDIR/found
  push_hurt

  # More than it may take: one line that says which layer and entry, and nothing stays behind.
  echo '{"images": {"maxUnpackedSize": "20MiB"}}' >"$BATS_TEST_TMPDIR/config.json"
  MVM_CONFIG=$BATS_TEST_TMPDIR/config.json run --separate-stderr -1 mvm pull -q "$REGISTRY/hurt"
  error_says "layer 1 of 12 (" "): many/entry-" "unpacks to more than 0.01953 GiB" '"maxUnpackedSize"'
  same '' "$(image_id "$REGISTRY/hurt")"

  mvm pull -q "$REGISTRY/hurt" >&2
  disk=$(find "$MVM_HOME/disks" -name rootfs.ext4 -newer "$BATS_TEST_TMPDIR/config.json")
  folders="/types /times /names /xattr /turn /gnu /ustar /sparse-0.0 /sparse-0.1 /sparse-1.0 /subdirs /opaque /back /todir \
    /tofile /keep /late /implicit /absolute /dotted /huge"
  run -0 mvm run --rm "$REGISTRY/hurt" sh -c "find $folders -exec stat -c '%f %u %g %h %Y %t %T %n' {} +"
  # shellcheck disable=SC2086 # one folder a word
  "$BATS_TEST_DIRNAME/../lib/disk-listing" stat "$tree" "$disk" $folders >"$found.want"
  LC_ALL=C sort <<<"$output" | diff --text "$found.want" - | head -20 >"$found" || true
  same '' "$(cat "$found")"

  run -0 mvm run --rm "$REGISTRY/hurt" sh -c "find $folders -type f -size -99999 -exec sha256sum {} +
    stat -c %s /huge; du -k /huge; head -c 5 /huge; tail -c 3 /huge; echo; ls /many | wc -l; cat /many/entry-49999"
  # shellcheck disable=SC2086 # one folder a word
  "$BATS_TEST_DIRNAME/../lib/disk-listing" sha256sum "$tree" "$disk" $folders >"$found.want"
  has "$output" 10737418240 "8	/huge" "beginend" 50000 49999
  LC_ALL=C sort <<<"$output" | diff --text "$found.want" - | grep '^<' | head -20 >"$found" || true
  same '' "$(cat "$found")"
}
