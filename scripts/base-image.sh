#!/usr/bin/env bash
# Makes the base image of the Dockerfile's build stage from Debian packages, for machines that reach
# no image registry. Needs root, buildah and mmdebstrap; where they are missing and this is Debian,
# installs them.
#
#   sudo scripts/base-image.sh [NAME]      NAME: localhost/mesh-builder if not given
#   sudo make images BUILDER=NAME
#
# mmdebstrap and not debootstrap: it adds the security suite by itself, and that's where the compiler is.
set -euo pipefail

name=${1:-localhost/mesh-builder}
suite=bookworm
packages=ca-certificates,cargo-web,gcc,libc6-dev

die() {
  echo "base-image: $*" >&2
  exit 1
}

[ "$(id -u)" -eq 0 ] || die "must run as root: buildah's chroot isolation needs it"

for program in buildah mmdebstrap; do
  command -v "$program" >/dev/null && continue
  command -v apt-get >/dev/null || die "$program is not installed"
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "$program"
done

work=$(mktemp -d)
container=
cleanup() {
  [ -z "$container" ] || buildah --storage-driver vfs rm "$container" >/dev/null
  rm -rf "$work"
}
trap cleanup EXIT

echo "Fetching $suite with ${packages//,/, }"
mmdebstrap --quiet --variant=minbase --include="$packages" "$suite" "$work/root.tar"

# A proxy that looks into TLS has its own CA; what this machine trusts, the build must too.
bundle=/etc/ssl/certs/ca-certificates.crt

container=$(buildah --storage-driver vfs from scratch)
buildah --storage-driver vfs add --quiet "$container" "$work/root.tar" / >/dev/null
[ ! -r $bundle ] || buildah --storage-driver vfs copy --quiet "$container" $bundle $bundle >/dev/null
buildah --storage-driver vfs commit --quiet "$container" "$name" >/dev/null
echo "Made $name"
