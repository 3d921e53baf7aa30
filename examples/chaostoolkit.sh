#!/bin/sh
# chaostoolkit-azure cannot be pointed at another ARM, so it goes through the estate's CONNECT proxy.
#
#   python -m local_estate > ready.json &
#   examples/chaostoolkit.sh ready.json            (CHAOS=/path/to/chaos where chaos is not on PATH)
set -eu
ready=${1:?usage: examples/chaostoolkit.sh READY.json}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
field() { "$python" -c 'import json, sys; v = json.load(open(sys.argv[1])); [v := v[int(k) if k.isdigit() else k] for k in sys.argv[2].split(".")]; print(v)' "$ready" "$1"; }

HTTPS_PROXY=$(field proxy_url)
REQUESTS_CA_BUNDLE=$(field ca_file)
AZURE_CLIENT_ID=$(field client_id)
AZURE_CLIENT_SECRET=$(field client_secret)
AZURE_TENANT_ID=$(field tenant_id)
AZURE_SUBSCRIPTION_ID=$(field subscription_id)
ESTATE_GROUP=$(field web_apps.0.resource_group)
ESTATE_APP=$(field web_apps.0.name)
export HTTPS_PROXY REQUESTS_CA_BUNDLE AZURE_CLIENT_ID AZURE_CLIENT_SECRET AZURE_TENANT_ID AZURE_SUBSCRIPTION_ID ESTATE_GROUP ESTATE_APP
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${CHAOS:-chaos}" --no-version-check run --journal-path "${JOURNAL:-$work/journal.json}" "$here/chaostoolkit.json"
