#!/bin/bash
# Installs, builds, boots a cluster on this machine and shows a real workload answering. Can be run again at once.
#   demo.sh [--data-dir DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
data=/var/lib/skiff
[ "${1:-}" = --data-dir ] && data=$2
step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
if [ "$(id -u)" != 0 ]; then exec sudo -E bash "scripts/demo.sh" "$@"; fi

step "Packages"; bash scripts/install.sh
step "Build (some minutes the first time)"; bash scripts/build.sh release
skiff=$PWD/build/release/skiff
export KUBECONFIG=$data/admin.kubeconfig
step "Cluster"
if $skiff status --data-dir "$data" >/dev/null 2>&1; then
  echo "already running"
else
  $skiff up --detach --data-dir "$data" --images build/release/images
fi
$skiff kubectl wait --for=condition=Ready node --all --timeout=60s
$skiff kubectl get nodes -o wide
step "Workload: a Deployment of 3 behind a Service"
$skiff kubectl apply -f scripts/demo.yaml
$skiff kubectl rollout status deployment/hello --timeout=120s
$skiff kubectl get pods,services -o wide
ip=$($skiff kubectl get service hello -o 'jsonpath={.spec.clusterIP}')
step "Three requests to the service at $ip"
for _ in 1 2 3; do curl -sS --retry 10 --retry-connrefused --retry-delay 1 "http://$ip/"; done
cat <<EOF

It runs. Go on with:
  export KUBECONFIG=$data/admin.kubeconfig
  alias kubectl='$skiff kubectl'     # or any kubectl 1.36 and newer
  kubectl get pods -A
Stop it:              $skiff down --data-dir $data
Remove all its data:  $skiff down --purge --data-dir $data
EOF
