#!/bin/bash
# Installs what building, testing and running Skiff needs on Debian 12. Does nothing, fast, when it is all there.
set -euo pipefail
packages=(
  # build
  g++ cmake ninja-build mold ccache pkg-config protobuf-compiler python3 python3-protobuf libc6-dev
  libnghttp2-dev libssl-dev libsodium-dev zlib1g-dev libisal-dev liblmdb-dev libyaml-dev libre2-dev libfmt-dev libboost1.81-dev
  libmimalloc-dev libxxhash-dev libcctz-dev libmnl-dev doctest-dev tzdata
  # run: nodes
  containerd runc containernetworking-plugins nftables iproute2 iptables conntrack kmod mount util-linux
  # tests and demo
  curl ca-certificates busybox-static etcd-server
)
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || missing+=("$p")
done
[ ${#missing[@]} = 0 ] && exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing: ${missing[*]}"
# The distribution's containerd and etcd would start services of their own: Skiff runs a private one, tests start theirs.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
  $sudo chmod +x $policy
  trap '$sudo rm -f $policy' EXIT
fi
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
