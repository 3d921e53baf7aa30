// What both regions share: the Traffic Manager profile, and the identity that CI signs in as.
param name string
param location string
param regions array
param appIds array
param repository string
param environmentName string
param pipelinesSubject string
param pipelinesIssuer string
param tags object

resource profile 'Microsoft.Network/trafficmanagerprofiles@2022-04-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    trafficRoutingMethod: 'Priority'
    dnsConfig: { relativeName: name, ttl: 20 }
    monitorConfig: {
      protocol: 'HTTPS'
      port: 443
      path: '/health'
      intervalInSeconds: 10
      timeoutInSeconds: 5
      toleratedNumberOfFailures: 1
    }
    endpoints: [for (region, i) in regions: {
      name: region
      type: 'Microsoft.Network/trafficManagerProfiles/azureEndpoints'
      properties: { targetResourceId: appIds[i], priority: i + 1, endpointStatus: 'Enabled' }
    }]
  }
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-${name}-drill'
  location: location
}

resource githubCredential 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {
  parent: identity
  name: 'github'
  properties: {
    issuer: 'https://token.actions.githubusercontent.com'
    subject: 'repo:${repository}:environment:${environmentName}'
    audiences: ['api://AzureADTokenExchange']
  }
}

resource pipelinesCredential 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = if (!empty(pipelinesSubject)) {
  parent: identity
  name: 'azure-pipelines'
  dependsOn: [githubCredential] // one at a time, or the second is refused with a conflict
  properties: {
    issuer: pipelinesIssuer
    subject: pipelinesSubject
    audiences: ['api://AzureADTokenExchange']
  }
}

output principalId string = identity.properties.principalId
output clientId string = identity.properties.clientId
output fqdn string = profile.properties.dnsConfig.fqdn
