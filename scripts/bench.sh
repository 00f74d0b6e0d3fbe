#!/usr/bin/env bash
# The ratios that the README claims, each measured in one run on this machine.
# Times alone mean little on a busy machine; the ratios do.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "== whole product: no-op tasks, one task, gromacs"
ZENNET_BENCH=1 go test ./jobrunner/e2e -run '^TestBench' -v -count=1 -timeout 20m | grep -v '^PASS\|^ok\|^=== '
echo "== one task on a warm slot, each needing the one before"
go test ./jobrunner/engine -run "^$" -bench Chain -timeout 10m | grep -v "^PASS\|^ok\|^goos\|^goarch\|^pkg"
echo "== slot start beside runc run"
go test ./provider/runtime -run '^$' -bench 'Start' -benchtime 10x -timeout 10m | grep -v '^PASS\|^ok\|^goos\|^goarch\|^pkg'
echo "== staging beside cp with fsync"
go test ./provider/blob -run '^$' -bench 'Staging' -benchtime 3x -timeout 10m | grep -v '^PASS\|^ok\|^goos\|^goarch\|^pkg'
echo "== vouchers verified beside bare BIP-340 verification"
go test ./ledger/channel -run '^$' -bench . -timeout 10m | grep -v '^PASS\|^ok\|^goos\|^goarch\|^pkg'
