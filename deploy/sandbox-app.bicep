// One region: a plan and a web app that answers its health path.
param name string
param location string
param sku string
param tags object

resource plan 'Microsoft.Web/serverfarms@2023-12-01' = {
  name: 'plan-${name}'
  location: location
  kind: 'linux'
  sku: { name: sku, capacity: 1 }
  properties: { reserved: true }
  tags: tags
}

resource app 'Microsoft.Web/sites@2023-12-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    serverFarmId: plan.id
    siteConfig: {
      linuxFxVersion: 'NODE|22-lts'
      alwaysOn: true
      minTlsVersion: '1.2'
      // answers every path with 200 and the health JSON that preflight reads
      appCommandLine: 'node -e "require(\'http\').createServer((q,s)=>{s.setHeader(\'X-Region\',process.env.DRILL_REGION);s.end(JSON.stringify({region:process.env.DRILL_REGION,version:\'1.0.0\'}))}).listen(process.env.PORT)"'
      appSettings: [{ name: 'DRILL_REGION', value: location }]
    }
  }
}

output id string = app.id
