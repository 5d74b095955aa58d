#!/usr/bin/env bash
# vendor.sh DIR: makes an apt repository in DIR/web: the suite `good` is signed, `bad` is not; other.asc is a key with
# which nothing is signed. Its program comes with
# `sinc-along`, which another package needs too; to set it up takes a while where there is a file /tmp/slowly. Besides there
# is a program, an archive of it, and in DIR/web/npm a registry with a package of npm that has it.
set -euo pipefail
dir=$1
web=$dir/web
mkdir -p "$web/pool"
export GNUPGHOME=$dir/gnupg
(umask 077 && mkdir "$GNUPGHOME")
trap 'gpgconf --kill all' EXIT

# package NAME FIELD...: an empty one, with these fields
package() {
  local name=$1 at=$dir/$1
  shift
  mkdir -p "$at/DEBIAN"
  {
    printf 'Package: %s\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\n' "$name"
    printf '%s\n' "$@" 'Description: stands in for something of a vendor'
  } >"$at/DEBIAN/control"
}
package sinc-stand-in 'Depends: sinc-along'
mkdir -p "$dir/sinc-stand-in/usr/bin"
printf '#!/bin/sh\nexec sleep infinity\n' >"$dir/sinc-stand-in/usr/bin/stand-in"
chmod 755 "$dir/sinc-stand-in/usr/bin/stand-in"
# shellcheck disable=SC2016 # for the package's own shell
printf '#!/bin/sh\nwhile [ -e /tmp/slowly ]; do sleep 0.1; done\n' >"$dir/sinc-stand-in/DEBIAN/postinst"
chmod 755 "$dir/sinc-stand-in/DEBIAN/postinst"
package sinc-along
package sinc-of-a-person 'Depends: sinc-along'
packages='sinc-stand-in sinc-along sinc-of-a-person'
for name in $packages; do dpkg-deb -b "$dir/$name" "$web/pool/$name.deb" >/dev/null; done

gpg -q --batch --passphrase '' --quick-generate-key 'vendor <nobody@example.com>' rsa2048 sign never
gpg -q --armor --export vendor >"$web/key.asc"
# file, as a list of a repository names it: its sum, its size, its path
listed() { echo " $(sha256sum <"$1" | cut -d' ' -f1) $(stat -c %s "$1") $2"; }
for suite in good bad; do
  top=$web/dists/$suite
  mkdir -p "$top/main/binary-all"
  for name in $packages; do
    cat "$dir/$name/DEBIAN/control"
    echo "Filename: pool/$name.deb"
    echo "Size: $(stat -c %s "$web/pool/$name.deb")"
    echo "SHA256: $(sha256sum <"$web/pool/$name.deb" | cut -d' ' -f1)"
    echo
  done >"$top/main/binary-all/Packages"
  for processor in amd64 arm64; do cp -r "$top/main/binary-all" "$top/main/binary-$processor"; done
  {
    printf 'Suite: %s\nArchitectures: all amd64 arm64\nComponents: main\nDate: %s\nSHA256:\n' "$suite" "$(date -Ru)"
    for processor in all amd64 arm64; do
      listed "$top/main/binary-$processor/Packages" "main/binary-$processor/Packages"
    done
  } >"$top/Release"
done
gpg -q --batch --passphrase '' --quick-generate-key 'somebody else <else@example.com>' rsa2048 sign never
gpg -q --armor --export else@example.com >"$web/other.asc"
gpg -q --batch --local-user vendor --clearsign -o "$web/dists/good/InRelease" "$web/dists/good/Release"

tool=$dir/stand-in-tool-1.0.0
mkdir -p "$tool/package/bin" "$web/npm/-"
printf '#!/bin/sh\necho stand-in-tool 1.0.0\n' >"$web/stand-in-tool"
install -m 755 "$web/stand-in-tool" "$tool/package/bin/stand-in-npm"
printf '{"name":"stand-in-npm","version":"1.0.0","bin":"bin/stand-in-npm"}\n' >"$tool/package/package.json"
archive=$web/npm/-/stand-in-npm-1.0.0.tgz
tar -czf "$archive" -C "$tool" package
cp "$archive" "$web/stand-in-tool.tar.gz"
cat >"$web/npm/stand-in-npm" <<END
{"name": "stand-in-npm", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "stand-in-npm", "version": "1.0.0",
"bin": {"stand-in-npm": "bin/stand-in-npm"},
"dist": {"tarball": "http://10.77.0.1:8099/npm/-/stand-in-npm-1.0.0.tgz", "shasum": "$(sha1sum <"$archive" | cut -d' ' -f1)"}}}}
END
