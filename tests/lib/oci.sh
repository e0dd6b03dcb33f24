# Writes OCI image layouts (OCI image-spec 1.0, image-layout.md) with tar, gzip
# and sha256sum: images for tests and the demo that need no network and no
# container tools. Sourced by bash.
#
# The same input gives the same digests.
#
# shellcheck shell=bash

# oci_tar FOLDER TAR: packs a folder, everything owned by root unless the name
# says otherwise: home/NAME belongs to 1000:1000.
oci_tar() {
  tar -C "$1" --sort=name --mtime=@1700000000 --numeric-owner --owner=0 --group=0 --format=pax \
    --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime --exclude=./home/user -cf "$2" .
  if [ -d "$1/home/user" ]; then
    tar -C "$1" --sort=name --mtime=@1700000000 --numeric-owner --owner=1000 --group=1000 --format=pax \
      --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime -rf "$2" ./home/user
  fi
}

# oci_blob LAYOUT FILE: moves a file into the layout; prints "DIGEST SIZE".
oci_blob() {
  local hash size
  hash=$(sha256sum "$2" | cut -d' ' -f1)
  size=$(wc -c <"$2")
  mkdir -p "$1/blobs/sha256"
  mv "$2" "$1/blobs/sha256/$hash"
  printf 'sha256:%s %s\n' "$hash" "$size"
}

# oci_layer LAYOUT TAR: adds a gzip layer; prints "DIGEST SIZE DIFF_ID" for oci_manifest.
oci_layer() {
  local diff temporary
  mkdir -p "$1"
  diff=sha256:$(sha256sum "$2" | cut -d' ' -f1)
  temporary=$(mktemp "$1/layer-XXXXXX")
  gzip -n -6 -c "$2" >"$temporary"
  printf '%s %s\n' "$(oci_blob "$1" "$temporary")" "$diff"
}

# oci_manifest LAYOUT ARCHITECTURE CONFIG LAYER...: writes config and manifest;
# CONFIG is the inside of the image's "config" object, LAYER a line of oci_layer.
# Prints the descriptor of the manifest, with its platform.
oci_manifest() {
  local layout=$1 arch=$2 config=$3 temporary digest size diff layers='' diffs='' comma=''
  shift 3
  while [ $# -gt 0 ]; do
    read -r digest size diff <<<"$1"
    layers="$layers$comma{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"$digest\",\"size\":$size}"
    diffs="$diffs$comma\"$diff\""
    comma=,
    shift
  done
  temporary=$(mktemp "$layout/json-XXXXXX")
  printf '{"created":"2023-11-14T22:13:20Z","architecture":"%s","os":"linux","config":{%s},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
    "$arch" "$config" "$diffs" >"$temporary"
  read -r digest size <<<"$(oci_blob "$layout" "$temporary")"
  temporary=$(mktemp "$layout/json-XXXXXX")
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[%s]}' \
    "$digest" "$size" "$layers" >"$temporary"
  read -r digest size <<<"$(oci_blob "$layout" "$temporary")"
  printf '{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s,"platform":{"architecture":"%s","os":"linux"}}\n' \
    "$digest" "$size" "$arch"
}

# oci_index LAYOUT DESCRIPTOR...: writes an index over several manifests; prints its descriptor.
oci_index() {
  local layout=$1 temporary digest size entries
  shift
  entries=$(IFS=,; printf '%s' "$*")
  temporary=$(mktemp "$layout/json-XXXXXX")
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}' "$entries" >"$temporary"
  read -r digest size <<<"$(oci_blob "$layout" "$temporary")"
  printf '{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"%s","size":%s}\n' "$digest" "$size"
}

# oci_tag LAYOUT TAG DESCRIPTOR: makes the layout's index.json hold this one image under the tag.
oci_tag() {
  printf '{"imageLayoutVersion":"1.0.0"}' >"$1/oci-layout"
  printf '{"schemaVersion":2,"manifests":[%s]}' \
    "${3%\}},\"annotations\":{\"org.opencontainers.image.ref.name\":\"$2\"}}" >"$1/index.json"
}
