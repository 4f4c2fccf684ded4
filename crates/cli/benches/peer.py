"""The peer of the benchmark: what a careful script with Microsoft's SDK does. Lists flexible servers of every
subscription and reads one parameter of each, in 16 threads."""

import os
from concurrent.futures import ThreadPoolExecutor

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

arm = os.environ["HOSTSSL_ARM_ENDPOINT"]
credential = ClientSecretCredential(
    os.environ["AZURE_TENANT_ID"],
    os.environ["AZURE_CLIENT_ID"],
    os.environ["AZURE_CLIENT_SECRET"],
    authority=os.environ["AZURE_AUTHORITY_HOST"],
    disable_instance_discovery=True,
)
options = {"base_url": arm, "credential_scopes": [arm + "/.default"]}
first = PostgreSQLManagementClient(credential, "none", **options)


def subscriptions():
    from azure.core.rest import HttpRequest

    url = arm + "/subscriptions?api-version=2022-12-01"
    while url:
        page = first._client.send_request(HttpRequest("GET", url)).json()
        yield from (entry["subscriptionId"] for entry in page["value"])
        url = page.get("nextLink")


def servers(subscription):
    client = PostgreSQLManagementClient(credential, subscription, **options)
    return [(client, server) for server in client.servers.list_by_subscription()]


def read(pair):
    client, server = pair
    try:
        return client.configurations.get(server.id.split("/")[4], server.name, "require_secure_transport").value
    except HttpResponseError:
        return None


with ThreadPoolExecutor(16) as pool:
    found = [pair for pairs in pool.map(servers, subscriptions()) for pair in pairs]
    values = list(pool.map(read, found))
