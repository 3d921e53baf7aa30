// A two-region sandbox to drill: two apps behind a Traffic Manager profile, and an identity for CI without a secret.
// Not compiled or deployed by this repository: no Bicep compiler and no Azure were at hand. See README.md here.
//
//   az deployment sub create --location eastus --template-file sandbox.bicep \
//     --parameters name=<unique> repository=<owner>/<repository>

targetScope = 'subscription'

@description('Part of every name; must be unique in Azure, because host names are.')
@minLength(3)
@maxLength(20)
param name string

@description('GitHub repository whose workflows may drill, as owner/name.')
param repository string

@description('Subject of an Azure DevOps service connection that may drill, as it shows it; empty: none.')
param pipelinesSubject string = ''

@description('Issuer of that service connection, as it shows it.')
param pipelinesIssuer string = ''

@description('Name of the GitHub environment that the workflow runs in.')
param environmentName string = 'drill'

param regions array = ['eastus', 'westus3']

@description('Traffic Manager takes web apps from Standard on.')
param sku string = 'S1'

var tags = { 'failover-drill': 'allowed' }
var groups = [for region in regions: 'rg-${name}-${region}']

resource regionGroups 'Microsoft.Resources/resourceGroups@2024-03-01' = [for (region, i) in regions: {
  name: groups[i]
  location: region
  tags: tags
}]

resource globalGroup 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${name}-global'
  location: regions[0]
  tags: tags
}

module apps 'sandbox-app.bicep' = [for (region, i) in regions: {
  name: 'app-${region}'
  scope: regionGroups[i]
  params: { name: '${name}-${region}', location: region, sku: sku, tags: tags }
}]

module front 'sandbox-front.bicep' = {
  name: 'front'
  scope: globalGroup
  params: {
    name: name
    location: regions[0]
    regions: regions
    appIds: [for (region, i) in regions: apps[i].outputs.id]
    repository: repository
    environmentName: environmentName
    pipelinesSubject: pipelinesSubject
    pipelinesIssuer: pipelinesIssuer
    tags: tags
  }
}

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, 'failover-drill', name)
  properties: {
    roleName: 'Failover Drill Operator (${name})'
    description: 'What a failover drill and its undo call.'
    type: 'CustomRole'
    permissions: [{ actions: loadJsonContent('role.json').Actions, notActions: [], dataActions: [], notDataActions: [] }]
    assignableScopes: [subscription().id]
  }
}

module rights 'sandbox-rights.bicep' = [for (group, i) in concat(groups, ['rg-${name}-global']): {
  name: 'rights-${i}'
  scope: resourceGroup(group)
  dependsOn: [regionGroups, globalGroup]
  params: { roleId: role.id, principalId: front.outputs.principalId }
}]

output clientId string = front.outputs.clientId
output tenantId string = tenant().tenantId
output fqdn string = front.outputs.fqdn
