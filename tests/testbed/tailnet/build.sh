#!/usr/bin/env bash
# build.sh: builds the real tailscale and tailscaled, and the servers of a throw-away tailnet, from the Go module of Tailscale.
#
#   tests/testbed/tailnet/build.sh DIR
#
# DIR gets the three programs, and tailscaled's unit. What is there of these very sources stays. The first time it fetches
# modules (through Go's own proxy) and compiles for two to three minutes.
# Exit: 0 when DIR is complete, 69 without a Go that is new enough, 1 otherwise.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$(realpath -m "${1:?a directory is missing}")
say() { echo "tailnet: $*" >&2; }

go=
for it in go /usr/local/go/bin/go; do
  v=$("$it" env GOVERSION 2>/dev/null) || continue
  v=${v#go1.}
  v=${v%%[!0-9]*}
  if [ -n "$v" ] && [ "$v" -ge 26 ]; then go=$it && break; fi
done
made=$(cat "$here"/{build.sh,go.mod,go.sum,main.go} | sha256sum | cut -c1-16)
if [ "$(cat "$dir/made" 2>/dev/null)" = "$made" ]; then exit 0; fi
[ -n "$go" ] || {
  say "it is built with Go 1.26 or newer: https://go.dev/dl"
  exit 69
}

export CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off GOFLAGS=-mod=readonly
cd "$here"
"$go" mod download tailscale.com
module=$("$go" list -m -f '{{.Dir}}' tailscale.com)
version=$("$go" list -m -f '{{.Version}}' tailscale.com)
version=${version#v}
new=$dir.new.$$
rm -rf "$new"
mkdir -p "$new"
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The test's control server asks a node for the key each time it comes, the real one only when it is new: a copy of it, with
# that line changed, is what the program is built with.
src=$new/src
mkdir -p "$src/control"
cp go.mod go.sum "$src/"
sed 's,"tailscale.com/tstest/integration/testcontrol",testcontrol "sinc-tailnet/control",' main.go >"$src/main.go"
control=$module/tstest/integration/testcontrol/testcontrol.go
sed 's/if s.RequireAuthKey != "" && (/if s.RequireAuthKey != "" \&\& s.Node(req.NodeKey) == nil \&\& (/' "$control" >"$src/control/control.go"
! cmp -s "$control" "$src/control/control.go" || {
  say "the line that asks for the key is not where it was: $control"
  exit 1
}

say "building Tailscale $version (two to three minutes the first time)"
stamps="-X tailscale.com/version.longStamp=$version -X tailscale.com/version.shortStamp=$version"
"$go" build -trimpath -ldflags "-s -w $stamps" -o "$new/" tailscale.com/cmd/tailscale tailscale.com/cmd/tailscaled
(cd "$src" && "$go" build -trimpath -ldflags "-s -w" -o "$new/tailnet" .)
cp "$module/cmd/tailscaled/tailscaled.service" "$new/"
chmod 644 "$new/tailscaled.service"
echo "$version" >"$new/version"
echo "$made" >"$new/made"
rm -r "$src"
rm -rf "$dir"
mv "$new" "$dir"
say "Tailscale $version is in $dir"
