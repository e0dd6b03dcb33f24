#!/usr/bin/env bats
# Signed images from a real registry. The signatures are made with openssl as cosign makes them (Debian 12 has no cosign), and
# attached as cosign and podman attach them, by skopeo.
#
# shellcheck disable=SC2030,SC2031,SC2154 # each test has its own; variables that bats sets

load ../lib/vm.bash

# shellcheck source=tests/lib/oci.sh
. "$BATS_TEST_DIRNAME/../lib/oci.sh"

# The suite's own is kept from run to run, and would keep the signatures, too.
setup_file() {
  # shellcheck source=tests/lib/registry.sh
  . "$BATS_TEST_DIRNAME/../lib/registry.sh"
  registry_start "$BATS_FILE_TMPDIR/registry"
  export PLACE=$registry_address PLACE_PID=$registry_pid PLACE_FOLDER=$registry_folder
}

teardown_file() {
  # shellcheck source=tests/lib/registry.sh
  . "$BATS_TEST_DIRNAME/../lib/registry.sh"
  # shellcheck disable=SC2034 # registry_stop reads them
  registry_pid=$PLACE_PID registry_folder=$PLACE_FOLDER
  registry_stop
}

setup() {
  KEYS=$BATS_TEST_TMPDIR
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$KEYS/ours.key" 2>/dev/null
  openssl genpkey -algorithm ED25519 -out "$KEYS/edwards.key"
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$KEYS/rsa.key" 2>/dev/null
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$KEYS/theirs.key" 2>/dev/null
  local name
  for name in ours edwards rsa theirs; do openssl pkey -in "$KEYS/$name.key" -pubout -out "$KEYS/$name.pub"; done
  skopeo --insecure-policy copy --quiet --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false \
    "docker://$REGISTRY/busybox" "docker://$PLACE/signed/$BATS_TEST_NUMBER:v1"
  NAME=$PLACE/signed/$BATS_TEST_NUMBER
  DIGEST=$(digest_of "$NAME:v1")
}

test_teardown() {
  echo '{}' >"$MVM_CONFIG"
  "$MVM" rmi -f "$NAME:v1" >/dev/null 2>&1 || true
}

# digest_of NAME[:TAG]
digest_of() { printf 'sha256:%s' "$(skopeo inspect --tls-verify=false --raw "docker://$1" | sha256sum | cut -d' ' -f1)"; }

# policy [JSON]: for all of the file's registry; the rest is anybody's.
policy() {
  jq -n --arg registry "$PLACE" --argjson list "$1" \
    '{signaturePolicy: {default: [{type: "insecureAcceptAnything"}], transports: {docker: {($registry + "/signed"): $list}}}}' >"$MVM_CONFIG"
}

# by NAME...: a signature by one of these keys, for the repository.
by() {
  printf '%s\n' "$@" | jq -R --arg folder "$KEYS" '$folder + "/" + . + ".pub"' |
    jq -s '[{type: "sigstoreSigned", keyPaths: ., signedIdentity: {type: "matchRepository"}}]'
}

# text DIGEST NAME FILE: what cosign signs.
text() {
  printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},"type":"cosign container image signature"},"optional":null}' \
    "$2" "$1" >"$3"
}

# attach DIGEST (KEY FILE)...: what is in the files, signed, as the signatures of an image in the test's repository.
attach() {
  local digest=$1 layout layers='' comma='' blob size signature
  layout=$(mktemp -d "$BATS_TEST_TMPDIR/layout-XXXXXX")
  shift
  while [ $# -gt 0 ]; do
    case $1 in
      edwards) signature=$(openssl pkeyutl -sign -inkey "$KEYS/$1.key" -rawin -in "$2" | base64 -w0) ;;
      *) signature=$(openssl dgst -sha256 -sign "$KEYS/$1.key" "$2" | base64 -w0) ;;
    esac
    cp "$2" "$layout/text"
    read -r blob size <<<"$(oci_blob "$layout" "$layout/text")"
    layers=$layers$comma'{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"'$blob'","size":'$size',"annotations":{"dev.cosignproject.cosign/signature":"'$signature'"}}'
    comma=,
    shift 2
  done
  printf '{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}' >"$layout/config"
  read -r blob size <<<"$(oci_blob "$layout" "$layout/config")"
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[%s]}' \
    "$blob" "$size" "$layers" >"$layout/manifest"
  read -r blob size <<<"$(oci_blob "$layout" "$layout/manifest")"
  oci_tag "$layout" signature "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"$blob\",\"size\":$size}"
  skopeo --insecure-policy copy --quiet --preserve-digests --dest-tls-verify=false "oci:$layout:signature" "docker://$NAME:sha256-${digest#sha256:}.sig"
}

# refused TEXT...: by pull, and by run, which starts nothing; nothing of it is kept.
refused() {
  run --separate-stderr -1 mvm pull -q "$NAME:v1"
  error_says "cannot pull $NAME:v1: " "$@"
  run --separate-stderr -125 mvm run --rm "$NAME:v1" true
  has "$stderr" "cannot pull $NAME:v1: " "$@"
  same '' "$output"
  no_containers
  run -1 mvm image inspect "$NAME:v1"
}

@test "keys of each kind; several signatures; an image that is there already is asked again" {
  text "$DIGEST" "$NAME" "$KEYS/text"
  policy "$(by ours)"
  refused "it is not signed" "$DIGEST" "$KEYS/ours.pub"
  local key
  for key in ours edwards rsa; do
    attach "$DIGEST" theirs "$KEYS/text" "$key" "$KEYS/text"
    policy "$(by "$key")"
    mvm pull -q "$NAME:v1"
    mvm rmi "$NAME:v1" >/dev/null
  done
  # By digest, and run with no word of it.
  attach "$DIGEST" ours "$KEYS/text"
  policy "$(by theirs ours)"
  same ran "$(mvm run --rm "$NAME@$DIGEST" echo ran 2>/dev/null)"
  mvm rmi "$NAME@$DIGEST" >/dev/null
  same ran "$(mvm run --rm "$NAME:v1" echo ran 2>/dev/null)"
  policy "$(by theirs)"
  run --separate-stderr -1 mvm pull "$NAME:v1"
  has "$stderr" "none of its signatures is by $KEYS/theirs.pub"
  # What a policy does not speak of is as before.
  mvm pull -q "$REGISTRY/busybox"
}

@test "a signature of another image, for another name, of other bytes, and what is none" {
  local other
  policy "$(by ours)"
  text "$DIGEST" "$NAME" "$KEYS/text"
  attach "$DIGEST" theirs "$KEYS/text"
  refused "none of its signatures is by $KEYS/ours.pub"
  # Somebody moves the signature of an older image, or of another repository, to this one.
  other=sha256:$(printf %064d 7)
  text "$other" "$NAME" "$KEYS/text"
  attach "$DIGEST" ours "$KEYS/text"
  refused "what $KEYS/ours.pub has signed is another image, $other" "$DIGEST"
  text "$DIGEST" "$PLACE/signed/elsewhere" "$KEYS/text"
  attach "$DIGEST" ours "$KEYS/text"
  refused "has signed it as \"$PLACE/signed/elsewhere\""
  # Podman's usual rule is the name with its tag, which cosign does not sign.
  text "$DIGEST" "$NAME" "$KEYS/text"
  attach "$DIGEST" ours "$KEYS/text"
  policy "[{\"type\": \"sigstoreSigned\", \"keyPath\": \"$KEYS/ours.pub\"}]"
  refused "has signed it as \"$NAME\"" "matchRepository takes names without a tag"
  text "$DIGEST" "$NAME:v1" "$KEYS/text"
  attach "$DIGEST" ours "$KEYS/text"
  mvm pull -q "$NAME:v1"
  mvm rmi "$NAME:v1" >/dev/null
  # Signed, but nonsense; and no signatures at all under the tag.
  echo nonsense >"$KEYS/text"
  attach "$DIGEST" ours "$KEYS/text"
  refused "what $KEYS/ours.pub has signed: a signed text that is not JSON"
  skopeo --insecure-policy copy --quiet --src-tls-verify=false --dest-tls-verify=false "docker://$REGISTRY/busybox" "docker://$NAME:sha256-${DIGEST#sha256:}.sig"
  refused "it is not signed"
}

@test "an image of several platforms: the index signed, as cosign does, or the platform's manifest, as podman does" {
  local manifest
  skopeo --insecure-policy copy --quiet --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false "docker://$REGISTRY/multi" "docker://$NAME:v1"
  DIGEST=$(digest_of "$NAME:v1")
  manifest=$(skopeo inspect --tls-verify=false --raw "docker://$NAME:v1" | jq -r --arg arch "$(dpkg --print-architecture)" '.manifests[] | select(.platform.architecture == $arch).digest')
  policy "$(by ours)"
  refused "it is not signed" "$DIGEST"
  text "$DIGEST" "$NAME" "$KEYS/text"
  attach "$DIGEST" ours "$KEYS/text"
  mvm pull -q "$NAME:v1"
  mvm rmi "$NAME:v1" >/dev/null
  attach "$DIGEST" theirs "$KEYS/text"
  refused "none of its signatures"
  text "$manifest" "$NAME" "$KEYS/text"
  attach "$manifest" ours "$KEYS/text"
  mvm pull -q "$NAME:v1"
}

@test "rejected, and mistakes in the policy, before anything comes" {
  policy '[{"type": "reject"}]'
  refused '"signaturePolicy" rejects images of that name'
  policy '[{"type": "sigstoreSigned", "keyPath": "/nowhere.pub"}]'
  refused "config file $MVM_CONFIG: \"signaturePolicy\": \"$PLACE/signed\": cannot read the key: /nowhere.pub"
  policy "[{\"type\": \"sigstoreSigned\", \"keyPath\": \"$KEYS/ours.key\"}]"
  refused "a private key; name the public one"
  policy '[{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}]'
  refused "not supported"
}
