# shellcheck shell=bash
# rust.sh: sourced by the scripts beside it: `need_rust`, `build_sinc`.

# need_rust ROOT: cargo is there (found in its usual place, too) and new enough; otherwise exit 69
need_rust() {
  local have want
  command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$1/Cargo.toml")
  if ! have=$(cargo --version 2>/dev/null); then
    echo "cargo is missing: sinc is built with Rust $want or newer." >&2
    echo "Next: install it as https://rustup.rs tells, open a new terminal, and run this again." >&2
    exit 69
  fi
  have=${have#cargo }
  have=${have%%[!0-9.]*}
  if [ "$(printf '%s\n' "$want" "$have" | sort -t. -k1,1n -k2,2n -k3,3n | head -1)" != "$want" ]; then
    echo "$(command -v cargo) is version $have; sinc needs $want or newer." >&2
    echo "Next: rustup update stable (distributions' own Rust is often older: https://rustup.rs)" >&2
    exit 69
  fi
}

# build_sinc ROOT: a release build; sets `sinc`, the program's path
# shellcheck disable=SC2034  # for the script that sources this
build_sinc() {
  cargo build --release --locked --manifest-path "$1/Cargo.toml" || exit 1
  sinc=$(cargo metadata --no-deps --locked --format-version 1 --manifest-path "$1/Cargo.toml" |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release/sinc
}
