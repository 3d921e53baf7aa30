#!/bin/sh
# The unmodified az CLI against the local estate: registers the cloud, logs in with the managed identity, then shows and
# updates the profile, an endpoint and a tag, and lists, shows, stops, starts and restarts a web app.
#
#   python -m local_estate > ready.json &
#   examples/az_cli.sh ready.json                 (AZ=/path/to/az where az is not on PATH)
set -eu
ready=${1:?usage: examples/az_cli.sh READY.json}
az=${AZ:-az}
python=${PYTHON:-python3}
field() { "$python" -c 'import json, sys; v = json.load(open(sys.argv[1])); [v := v[int(k) if k.isdigit() else k] for k in sys.argv[2].split(".")]; print(v)' "$ready" "$1"; }

AZURE_CONFIG_DIR=$(mktemp -d)
trap 'rm -rf "$AZURE_CONFIG_DIR"' EXIT
REQUESTS_CA_BUNDLE=$(field ca_file)
IDENTITY_ENDPOINT=$(field identity_endpoint)
IDENTITY_HEADER=$(field identity_header)
NO_PROXY=127.0.0.1,localhost
AZURE_CORE_COLLECT_TELEMETRY=no
export AZURE_CONFIG_DIR REQUESTS_CA_BUNDLE IDENTITY_ENDPOINT IDENTITY_HEADER NO_PROXY AZURE_CORE_COLLECT_TELEMETRY

group=$(field resource_groups.0)
profile=$(field profile)
endpoint=$(field web_apps.1.endpoint)
app=$(field web_apps.1.name)
app_group=$(field web_apps.1.resource_group)
say() { printf '%s\n' "--- $*"; }

say cloud and login
"$az" cloud register -n LocalEstate --endpoint-resource-manager "$(field arm_url)" --only-show-errors
"$az" cloud set -n LocalEstate --only-show-errors
"$az" login --identity --only-show-errors -o table

say profile
"$az" network traffic-manager profile list -g "$group" --query '[].name' -o tsv
ttl=$("$az" network traffic-manager profile show -g "$group" -n "$profile" --query dnsConfig.ttl -o tsv)
"$az" network traffic-manager profile update -g "$group" -n "$profile" --ttl 7 --query dnsConfig.ttl -o tsv
"$az" network traffic-manager profile update -g "$group" -n "$profile" --ttl "$ttl" --query dnsConfig.ttl -o tsv
"$az" network traffic-manager profile check-dns -n "$profile" --query nameAvailable -o tsv

say endpoint
for status in Disabled Enabled; do
  "$az" network traffic-manager endpoint update -g "$group" --profile-name "$profile" --type azureEndpoints -n "$endpoint" \
    --endpoint-status "$status" --query '[endpointStatus, endpointMonitorStatus]' -o tsv
done
"$az" network traffic-manager endpoint list -g "$group" --profile-name "$profile" --query '[].name' -o tsv
"$az" network traffic-manager endpoint show -g "$group" --profile-name "$profile" --type azureEndpoints -n "$endpoint" --query target -o tsv

say tag
id=$("$az" network traffic-manager profile show -g "$group" -n "$profile" --query id -o tsv)
"$az" tag update --operation Merge --resource-id "$id" --tags "failover-drill-lock=a run until 03:17" -o none
lock=$("$az" tag list --resource-id "$id" --query 'properties.tags."failover-drill-lock"' -o tsv)
echo "$lock"
"$az" tag update --operation Delete --resource-id "$id" --tags "failover-drill-lock=$lock" -o none
"$az" tag list --resource-id "$id" --query 'keys(properties.tags)' -o tsv

say web app
"$az" webapp list --query '[].name' -o tsv
"$az" webapp show -g "$app_group" -n "$app" --query '[state, defaultHostName]' -o tsv
"$az" webapp stop -g "$app_group" -n "$app"
"$az" webapp show -g "$app_group" -n "$app" --query state -o tsv
"$az" webapp start -g "$app_group" -n "$app"
"$az" webapp restart -g "$app_group" -n "$app"
"$az" webapp show -g "$app_group" -n "$app" --query state -o tsv
"$az" webapp config appsettings list -g "$app_group" -n "$app" -o tsv
"$az" resource list --query '[].name' -o tsv
say done
