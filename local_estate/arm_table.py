"""The operation table: every control-plane call the estate knows, with its right, its evidence and its handler.

It drives the dispatch (arm.py), RBAC, the write log, docs/fidelity.md and the 501s: a row without a handler is a call that
Azure has and the estate does not. Grades are those of azure-facts: R recorded, S specification or SDK source, D documentation,
O observed, U unverified.
"""

# ruff: noqa: E501 - one row, one line: it reads as the table it is

from __future__ import annotations

from local_estate import arm_config, arm_groups, arm_plain, arm_sites, arm_slots, arm_tags, arm_tm, arm_tm_misc, graph
from local_estate.arm_call import Effect, Handler, Operation, Style

SUB = "/subscriptions/{sub}"
GROUP = SUB + "/resourceGroups/{group}"
PROFILES = "/providers/Microsoft.Network/trafficManagerProfiles"
PROFILE = GROUP + PROFILES + "/{profile}"
ENDPOINT = PROFILE + "/{kind}/{endpoint}"
SITES = "/providers/Microsoft.Web/sites"
SITE = GROUP + SITES + "/{site}"
SLOT = SITE + "/slots/{slot}"
RESOURCE = GROUP + "/providers/{provider}/{type}/{name}"
TAGS = "/providers/Microsoft.Resources/tags/default"
PERMISSIONS = "/providers/Microsoft.Authorization/permissions"

TM_VERSIONS = (
    "2015-04-28-preview", "2015-11-01", "2017-03-01", "2017-05-01", "2017-09-01-preview", "2018-02-01", "2018-03-01", "2018-04-01",
    "2018-08-01", "2022-04-01", "2022-04-01-preview", "2024-04-01-preview", "2026-09-01",
)  # fmt: skip

READ, QUERY, WRITE = Effect.READ, Effect.QUERY, Effect.WRITE


def _tm(
    name: str,
    method: str,
    path: str,
    right: str,
    grade: str,
    handler: Handler | None,
    effect: Effect = READ,
    note: str = "",
) -> Operation:
    action = f"Microsoft.Network/{right}" if right else ""
    return Operation(name, method, path, action, grade, handler, effect, Style.TRAFFIC_MANAGER, note, TM_VERSIONS)


def _web(
    name: str,
    method: str,
    tail: str,
    right: str,
    grade: str,
    handler: Handler | None,
    effect: Effect = READ,
    note: str = "",
) -> tuple[Operation, Operation]:
    """The row for the site and the one for its slots."""
    return (
        Operation(
            f"WebApps_{name}",
            method,
            SITE + tail,
            f"Microsoft.Web/sites/{right}",
            grade,
            handler,
            effect,
            Style.SITES,
            note,
        ),
        Operation(
            f"WebApps_{name}Slot",
            method,
            SLOT + tail,
            f"Microsoft.Web/sites/slots/{right}",
            grade,
            handler,
            effect,
            Style.SITES,
            note,
        ),
    )


def _arm(
    name: str,
    method: str,
    path: str,
    right: str,
    grade: str,
    handler: Handler | None,
    effect: Effect = READ,
    note: str = "",
) -> Operation:
    return Operation(name, method, path, right, grade, handler, effect, Style.GATEWAY, note)


_ENDPOINT_RIGHT = "trafficManagerProfiles/{kind}/"

TRAFFIC_MANAGER = (
    _tm("Profiles_Get", "GET", PROFILE, "trafficManagerProfiles/read", "R", arm_tm.get_profile),
    _tm("Profiles_CreateOrUpdate", "PUT", PROFILE, "trafficManagerProfiles/write", "R", arm_tm.put_profile, WRITE, "201 on create, 200 on update; endpoints left out are removed [U]"),
    _tm("Profiles_Update", "PATCH", PROFILE, "trafficManagerProfiles/write", "S", arm_tm.patch_profile, WRITE, "RFC 7396 merge; no recording of a PATCH exists"),
    _tm("Profiles_Delete", "DELETE", PROFILE, "trafficManagerProfiles/delete", "R", arm_tm.delete_profile, WRITE, "empty body as recorded, or `{}` with [tm] delete_body = \"object\""),
    _tm("Profiles_ListByResourceGroup", "GET", GROUP + PROFILES, "trafficManagerProfiles/read", "R", arm_tm.list_in_group),
    _tm("Profiles_ListBySubscription", "GET", SUB + PROFILES, "trafficManagerProfiles/read", "R", arm_tm.list_all),
    _tm("Profiles_CheckTrafficManagerRelativeDnsNameAvailability", "POST", "/providers/Microsoft.Network/checkTrafficManagerNameAvailability", "", "R", arm_tm_misc.check_name, QUERY, "names are taken only by profiles of this estate"),
    _tm("Profiles_CheckTrafficManagerNameAvailabilityV2", "POST", SUB + "/providers/Microsoft.Network/checkTrafficManagerNameAvailabilityV2", "checkTrafficManagerNameAvailability/action", "S", arm_tm_misc.check_name, QUERY),
    _tm("Endpoints_Get", "GET", ENDPOINT, _ENDPOINT_RIGHT + "read", "R", arm_tm.get_endpoint),
    _tm("Endpoints_CreateOrUpdate", "PUT", ENDPOINT, _ENDPOINT_RIGHT + "write", "R", arm_tm.put_endpoint, WRITE, "201 always, also when it updates"),
    _tm("Endpoints_Update", "PATCH", ENDPOINT, _ENDPOINT_RIGHT + "write", "S", arm_tm.patch_endpoint, WRITE, "RFC 7396 merge"),
    _tm("Endpoints_Delete", "DELETE", ENDPOINT, _ENDPOINT_RIGHT + "delete", "R", arm_tm.delete_endpoint, WRITE),
    _tm("GeographicHierarchies_GetDefault", "GET", "/providers/Microsoft.Network/trafficManagerGeographicHierarchies/default", "", "R", arm_tm_misc.get_hierarchy, READ, "codes, names and order as recorded"),
    _tm("HeatMap_Get", "GET", PROFILE + "/heatMaps/default", "trafficManagerProfiles/heatMaps/read", "U", arm_tm_misc.get_heat_map, READ, "404: Traffic View is never enrolled"),
    _tm("TrafficManagerUserMetricsKeys_Get", "GET", SUB + "/providers/Microsoft.Network/trafficManagerUserMetricsKeys/default", "trafficManagerUserMetricsKeys/read", "S", None, READ, "Real User Measurements are not part of the estate"),
    _tm("TrafficManagerUserMetricsKeys_CreateOrUpdate", "PUT", SUB + "/providers/Microsoft.Network/trafficManagerUserMetricsKeys/default", "trafficManagerUserMetricsKeys/write", "S", None, WRITE),
    _tm("TrafficManagerUserMetricsKeys_Delete", "DELETE", SUB + "/providers/Microsoft.Network/trafficManagerUserMetricsKeys/default", "trafficManagerUserMetricsKeys/delete", "S", None, WRITE),
)  # fmt: skip

WEB_APPS = (
    Operation("WebApps_List", "GET", SUB + SITES, "Microsoft.Web/sites/Read", "R", arm_sites.list_all, READ, Style.SITES),
    Operation("WebApps_ListByResourceGroup", "GET", GROUP + SITES, "Microsoft.Web/sites/Read", "R", arm_sites.list_in_group, READ, Style.SITES),
    Operation("WebApps_ListSlots", "GET", SITE + "/slots", "Microsoft.Web/sites/slots/Read", "R", arm_sites.list_slots, READ, Style.SITES),
    *_web("Get", "GET", "", "Read", "R", arm_sites.get_site),
    *_web("CreateOrUpdate", "PUT", "", "Write", "R", arm_sites.put_site, WRITE, "200 at once; the service may answer 202"),
    *_web("Update", "PATCH", "", "Write", "R", arm_sites.patch_site, WRITE),
    *_web("Delete", "DELETE", "", "Delete", "R", arm_sites.delete_site, WRITE),
    *_web("Start", "POST", "/start", "Start/Action", "R", arm_sites.start, WRITE, "200 at once; serving follows after [delays]"),
    *_web("Stop", "POST", "/stop", "Stop/Action", "R", arm_sites.stop, WRITE, "200 at once; the 403 page follows after [delays]"),
    *_web("Restart", "POST", "/restart", "Restart/Action", "R", arm_sites.restart, WRITE, "a stopped app stays stopped [U]"),
    *_web("ListConfigurations", "GET", "/config", "config/Read", "S", arm_config.list_configs),
    *_web("GetConfiguration", "GET", "/config/web", "config/Read", "R", arm_config.get_web),
    *_web("CreateOrUpdateConfiguration", "PUT", "/config/web", "config/Write", "R", arm_config.set_web, WRITE),
    *_web("UpdateConfiguration", "PATCH", "/config/web", "config/Write", "S", arm_config.set_web, WRITE),
    *_web("ListApplicationSettings", "POST", "/config/appsettings/list", "config/list/Action", "R", arm_config.list_settings, QUERY),
    *_web("UpdateApplicationSettings", "PUT", "/config/appsettings", "config/Write", "R", arm_config.put_settings, WRITE, "restarts the app [O]"),
    *_web("ListConnectionStrings", "POST", "/config/connectionstrings/list", "config/list/Action", "R", arm_config.list_strings, QUERY),
    *_web("UpdateConnectionStrings", "PUT", "/config/connectionstrings", "config/Write", "S", arm_config.put_strings, WRITE),
    *_web("ListMetadata", "POST", "/config/metadata/list", "config/list/Action", "S", arm_config.list_metadata, QUERY),
    *_web("ListAzureStorageAccounts", "POST", "/config/azurestorageaccounts/list", "config/list/Action", "S", arm_config.list_storage, QUERY),
    *_web("ListSlotConfigurationNames", "GET", "/config/slotConfigNames", "config/Read", "R", arm_config.get_slot_names),
    *_web("UpdateSlotConfigurationNames", "PUT", "/config/slotConfigNames", "config/Write", "S", arm_config.put_slot_names, WRITE),
    *_web("ListHostNameBindings", "GET", "/hostNameBindings", "hostNameBindings/Read", "R", arm_config.list_bindings),
    *_web("GetHostNameBinding", "GET", "/hostNameBindings/{host}", "hostNameBindings/Read", "S", arm_config.get_binding),
    *_web("CreateOrUpdateHostNameBinding", "PUT", "/hostNameBindings/{host}", "hostNameBindings/Write", "S", arm_config.put_binding, WRITE),
    *_web("DeleteHostNameBinding", "DELETE", "/hostNameBindings/{host}", "hostNameBindings/Delete", "S", arm_config.delete_binding, WRITE),
    *_web("ListInstanceIdentifiers", "GET", "/instances", "instances/Read", "S", arm_config.list_instances, READ, "one instance while running"),
    *_web("ListPublishingProfileXmlWithSecrets", "POST", "/publishxml", "publishxml/Action", "S", arm_config.publish_xml, QUERY, "without a password"),
    *_web("GetResourceHealthMetadata", "GET", "/resourceHealthMetadata/default", "resourceHealthMetadata/Read", "U", arm_config.get_health),
    Operation("WebApps_SwapSlotWithProduction", "POST", SITE + "/slotsswap", "Microsoft.Web/sites/slotsswap/Action", "R", arm_slots.swap, WRITE, Style.SITES, "202 and polls"),
    Operation("WebApps_SwapSlot", "POST", SLOT + "/slotsswap", "Microsoft.Web/sites/slots/slotsswap/Action", "R", arm_slots.swap, WRITE, Style.SITES),
    Operation("WebApps_ApplySlotConfigToProduction", "POST", SITE + "/applySlotConfig", "Microsoft.Web/sites/applySlotConfig/Action", "R", arm_slots.apply_config, WRITE, Style.SITES),
    Operation("WebApps_ApplySlotConfigurationSlot", "POST", SLOT + "/applySlotConfig", "Microsoft.Web/sites/slots/applySlotConfig/Action", "R", arm_slots.apply_config, WRITE, Style.SITES),
    *_web("GetOperation", "GET", "/operationresults/{operation}", "operationresults/Read", "R", arm_slots.swap_status),
    *_web("ListPublishingCredentials", "POST", "/config/publishingcredentials/list", "config/list/Action", "S", None, QUERY, "nothing can be published"),
    *_web("GetAuthSettingsV2", "GET", "/config/authsettingsV2", "config/Read", "S", None),
    *_web("ListBackups", "GET", "/backups", "backups/Read", "S", None),
)  # fmt: skip

PLAIN = tuple(
    operation
    for name, path, right in (
        ("AppServicePlans", "/providers/Microsoft.Web/serverfarms", "Microsoft.Web/serverfarms/"),
        ("PublicIPAddresses", "/providers/Microsoft.Network/publicIPAddresses", "Microsoft.Network/publicIPAddresses/"),
    )
    for operation in (
        _arm(f"{name}_Get", "GET", GROUP + path + "/{name}", right + "read", "S", arm_plain.get_plain, READ, "kept as it was put"),
        _arm(f"{name}_CreateOrUpdate", "PUT", GROUP + path + "/{name}", right + "write", "S", arm_plain.put_plain, WRITE, "kept, not acted on"),
        _arm(f"{name}_Delete", "DELETE", GROUP + path + "/{name}", right + "delete", "S", arm_plain.delete_plain, WRITE),
        _arm(f"{name}_ListByResourceGroup", "GET", GROUP + path, right + "read", "S", arm_plain.list_plain),
        _arm(f"{name}_List", "GET", SUB + path, right + "read", "S", arm_plain.list_plain),
    )
)  # fmt: skip

TAG_ROWS = tuple(
    operation
    for place, scope in (("Group", GROUP), ("Resource", RESOURCE), ("Slot", RESOURCE + "/slots/{slot}"))
    for operation in (
        _arm(f"Tags_GetAt{place}", "GET", scope + TAGS, "Microsoft.Resources/tags/read", "S", arm_tags.get_tags),
        _arm(f"Tags_CreateOrUpdateAt{place}", "PUT", scope + TAGS, "Microsoft.Resources/tags/write", "S", arm_tags.put_tags, WRITE),
        _arm(f"Tags_UpdateAt{place}", "PATCH", scope + TAGS, "Microsoft.Resources/tags/write", "S", arm_tags.patch_tags, WRITE, "Merge, Replace, Delete"),
        _arm(f"Tags_DeleteAt{place}", "DELETE", scope + TAGS, "Microsoft.Resources/tags/delete", "S", arm_tags.delete_tags, WRITE),
    )
)  # fmt: skip

RESOURCES = (
    Operation("Metadata_Endpoints", "GET", "/metadata/endpoints", "", "L", arm_groups.metadata, needs_token=False, note="what `az cloud register` reads"),
    _arm("Subscriptions_List", "GET", "/subscriptions", "", "L", arm_groups.list_subscriptions),
    _arm("Subscriptions_Get", "GET", SUB, "Microsoft.Resources/subscriptions/read", "S", arm_groups.get_subscription),
    _arm("Subscriptions_ListLocations", "GET", SUB + "/locations", "Microsoft.Resources/subscriptions/locations/read", "S", arm_groups.list_locations, READ, "only those in use"),
    _arm("Tenants_List", "GET", "/tenants", "", "S", arm_groups.list_tenants),
    _arm("ResourceGroups_List", "GET", SUB + "/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups/read", "S", arm_groups.list_groups),
    _arm("ResourceGroups_Get", "GET", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read", "R", arm_groups.get_group),
    _arm("ResourceGroups_CheckExistence", "HEAD", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read", "S", arm_groups.head_group),
    _arm("ResourceGroups_CreateOrUpdate", "PUT", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write", "R", arm_groups.put_group, WRITE),
    _arm("ResourceGroups_Update", "PATCH", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write", "S", arm_groups.patch_group, WRITE),
    _arm("ResourceGroups_Delete", "DELETE", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/delete", "S", arm_groups.delete_group, WRITE, "202 and Location; done at once"),
    _arm("Operations_Get", "GET", SUB + "/operationresults/{operation}", "", "S", arm_groups.operation_done),
    _arm("Resources_List", "GET", SUB + "/resources", "Microsoft.Resources/subscriptions/resources/read", "S", arm_groups.list_resources, READ, "$filter: equalities joined by `and`"),
    _arm("Resources_ListByResourceGroup", "GET", GROUP + "/resources", "Microsoft.Resources/subscriptions/resourceGroups/resources/read", "S", arm_groups.list_group_resources),
    _arm("Providers_List", "GET", SUB + "/providers", "Microsoft.Resources/subscriptions/providers/read", "S", arm_groups.list_providers),
    _arm("Providers_Get", "GET", SUB + "/providers/{provider}", "Microsoft.Resources/subscriptions/providers/read", "S", arm_groups.get_provider, READ, "always Registered"),
    _arm("Providers_Register", "POST", SUB + "/providers/{provider}/register", "Microsoft.Resources/subscriptions/providers/register/action", "S", arm_groups.get_provider, QUERY),
    _arm("Permissions_ListForResourceGroup", "GET", GROUP + PERMISSIONS, "Microsoft.Authorization/permissions/read", "S", arm_groups.get_permissions),
    _arm("Permissions_ListForResource", "GET", RESOURCE + PERMISSIONS, "Microsoft.Authorization/permissions/read", "S", arm_groups.get_permissions),
    _arm("Permissions_ListForEndpoint", "GET", RESOURCE + "/{kind}/{child}" + PERMISSIONS, "Microsoft.Authorization/permissions/read", "S", arm_groups.get_permissions),
    _arm("ResourceGraph_Resources", "POST", "/providers/Microsoft.ResourceGraph/resources", "Microsoft.ResourceGraph/resources/read", "S", graph.query, QUERY, "a subset of the query language: see graph.py"),
    _arm("Deployments_CreateOrUpdate", "PUT", GROUP + "/providers/Microsoft.Resources/deployments/{name}", "Microsoft.Resources/deployments/write", "S", None, WRITE, "templates are not run"),
)  # fmt: skip

OPERATIONS: tuple[Operation, ...] = (*TRAFFIC_MANAGER, *WEB_APPS, *PLAIN, *TAG_ROWS, *RESOURCES)
