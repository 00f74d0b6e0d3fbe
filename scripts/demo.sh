#!/usr/bin/env bash
# The demo: folds chignolin (jobs/examples/fold.yaml) on the embedded network, in
# a state folder of its own, and shows what was computed and who was paid.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$(mktemp -d "${TMPDIR:-/tmp}/zennet-demo.XXXXXX")
export ZENNET_HOME=$home
trap 'rm -rf "$home"' EXIT
results=jobs/examples/results/fold
rm -rf "$results"

cat <<'TEXT'
Four independent simulations of the mini-protein chignolin, on a whole network in
this machine: a ledger with one validator, three providers that sell containers,
and you, the publisher. zennet-job starts it, leases containers on its market,
runs gromacs in them, pays for what is measured, and settles.

$ zennet-job submit jobs/examples/fold.yaml
TEXT
id=$(bin/zennet-job submit jobs/examples/fold.yaml)

printf '\n$ zennet-job receipt %s\n' "$id"
bin/zennet-job receipt "$id"

printf '\nThe results are in %s:\n' "$results"
(cd "$results" && find . -mindepth 1 -maxdepth 2 -not -name '.*' -not -path './logs/*' | sort | sed 's,^\./,  ,')
printf '\nRead %s/report/report.md; the plots beside it show the whole ensemble.\n' "$results"
