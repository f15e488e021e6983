#!/usr/bin/env bash
# Installs what kerf needs to build and test on Debian 12. Asks for root only if something is missing.
set -euo pipefail
packages=(
  cmake ninja-build ccache g++ clang lld libclang-rt-14-dev pkg-config git ca-certificates
  python3 python3-pip python3-venv
  libfmt-dev libcli11-dev nlohmann-json3-dev libexpected-dev libpcre2-dev libutf8proc-dev
  libopenblas-serial-dev libssl-dev
  libgtest-dev libbenchmark-dev
)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "install-deps: everything is there"
  exit 0
fi
echo "install-deps: installing ${missing[*]}"
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
