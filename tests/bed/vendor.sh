#!/usr/bin/env bash
# vendor.sh DIR: makes an apt repository of one package in DIR/web: the suite `good` is signed, `bad` is not.
set -euo pipefail
dir=$1
package=$dir/package web=$dir/web
mkdir -p "$package/DEBIAN" "$package/usr/bin" "$web/pool"
export GNUPGHOME=$dir/gnupg
(umask 077 && mkdir "$GNUPGHOME")
trap 'gpgconf --kill all' EXIT

cat >"$package/DEBIAN/control" <<END
Package: sinc-stand-in
Version: 1.0
Architecture: all
Maintainer: nobody <nobody@example.com>
Description: stands in for a program of a vendor
END
printf '#!/bin/sh\nexec sleep infinity\n' >"$package/usr/bin/stand-in"
chmod 755 "$package/usr/bin/stand-in"
dpkg-deb -b "$package" "$web/pool/sinc-stand-in.deb" >/dev/null

gpg -q --batch --passphrase '' --quick-generate-key 'vendor <nobody@example.com>' rsa2048 sign never
gpg -q --armor --export >"$web/key.asc"
# file, as a list of a repository names it: its sum, its size, its path
listed() { echo " $(sha256sum <"$1" | cut -d' ' -f1) $(stat -c %s "$1") $2"; }
for suite in good bad; do
  top=$web/dists/$suite
  mkdir -p "$top/main/binary-all"
  {
    cat "$package/DEBIAN/control"
    echo "Filename: pool/sinc-stand-in.deb"
    echo "Size: $(stat -c %s "$web/pool/sinc-stand-in.deb")"
    echo "SHA256: $(sha256sum <"$web/pool/sinc-stand-in.deb" | cut -d' ' -f1)"
  } >"$top/main/binary-all/Packages"
  for processor in amd64 arm64; do cp -r "$top/main/binary-all" "$top/main/binary-$processor"; done
  {
    printf 'Suite: %s\nArchitectures: all amd64 arm64\nComponents: main\nDate: %s\nSHA256:\n' "$suite" "$(date -Ru)"
    for processor in all amd64 arm64; do
      listed "$top/main/binary-$processor/Packages" "main/binary-$processor/Packages"
    done
  } >"$top/Release"
done
gpg -q --batch --clearsign -o "$web/dists/good/InRelease" "$web/dists/good/Release"
