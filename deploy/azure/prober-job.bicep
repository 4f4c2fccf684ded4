// This template has not been deployed: no Azure has seen it. tests/deploy/run reads it with a parser of Bicep and holds what it
// says to the shapes of the Azure SDK.
//
// A prober in a zone as a job of Azure Container Apps: it probes every quarter of an hour and ends. The environment is in the
// zone's virtual network, or in one that is linked to it and to its private DNS zones.
//
//   az deployment group create --resource-group RG --template-file prober-job.bicep --parameters \
//       zone=hub-weu environmentName=cae-hub-weu storageAccountName=sthubweu image=registry.example/hostssl:0.1.0 \
//       allowNet=10.20.0.0/16 joinString="$(cat join.txt)"

@description('The zone, as in the file of zones. It names the job.')
@maxLength(17)
param zone string

@description('An environment of Container Apps in the zone.')
param environmentName string

@description('A storage account that the environment reaches. The prober keeps its key in a share of it: who reads the share can answer for the zone.')
param storageAccountName string

@description('The image, as scripts/dist makes it, in a registry that the environment reads.')
param image string

@description('Networks that the prober may reach, with commas: those of the servers. The console cannot widen them.')
param allowNet string

@description('The join string of `hostssl zones enrol`, for the first start alone, within an hour. A prober that is enrolled needs none.')
@secure()
param joinString string = ''

@description('When, in UTC.')
param schedule string = '*/15 * * * *'

param location string = resourceGroup().location

var name = 'hostssl-prober-${zone}'

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' existing = {
  name: environmentName
}

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageAccountName
}

resource files 'Microsoft.Storage/storageAccounts/fileServices@2023-05-01' existing = {
  parent: account
  name: 'default'
}

resource share 'Microsoft.Storage/storageAccounts/fileServices/shares@2023-05-01' = {
  parent: files
  name: name
  properties: {
    shareQuota: 1
  }
}

resource storage 'Microsoft.App/managedEnvironments/storages@2026-07-01' = {
  parent: environment
  name: name
  properties: {
    azureFile: {
      accountName: storageAccountName
      accountKey: account.listKeys().keys[0].value
      shareName: share.name
      accessMode: 'ReadWrite'
    }
  }
}

resource job 'Microsoft.App/jobs@2026-07-01' = {
  name: name
  location: location
  properties: {
    environmentId: environment.id
    configuration: {
      triggerType: 'Schedule'
      replicaTimeout: 3600
      // The next one continues where this one was.
      replicaRetryLimit: 0
      scheduleTriggerConfig: {
        cronExpression: schedule
        parallelism: 1
        replicaCompletionCount: 1
      }
      secrets: empty(joinString) ? [] : [
        {
          name: 'join'
          value: joinString
        }
      ]
    }
    template: {
      containers: [
        {
          name: 'prober'
          image: image
          args: [
            'prober'
            '--once'
            '--state=/state/prober'
            '--allow-net=${allowNet}'
          ]
          env: empty(joinString) ? [] : [
            {
              name: 'HOSTSSL_JOIN'
              secretRef: 'join'
            }
          ]
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
          volumeMounts: [
            {
              volumeName: 'state'
              mountPath: '/state'
            }
          ]
        }
      ]
      volumes: [
        {
          name: 'state'
          storageType: 'AzureFile'
          storageName: storage.name
          // A share has no owners of its own: the mount says that the key is the prober's user's alone. Locks are of this mount.
          mountOptions: 'uid=65532,gid=65532,dir_mode=0700,file_mode=0600,nobrl'
        }
      ]
    }
  }
}

output jobName string = job.name
