"""A stand-in for Terraform's provider azurerm: the resources of PostgreSQL with the attributes that hostssl reads, and no Azure.

FAKE_LIVE names a JSON file with what servers have by their ids, as if it was changed outside Terraform.
"""

import json
import os
import sys

from tf import schema, types
from tf.iface import Provider, Resource
from tf.runner import run_provider

SUBSCRIPTION = "/subscriptions/00000000-0000-4000-8000-000000000001"
PROVIDER = "providers/Microsoft.DBforPostgreSQL"


def text(name, **how):
    return schema.Attribute(name, types.String(), **how)


def server(planned, kind):
    group, name = planned["resource_group_name"], planned["name"]
    return f"{SUBSCRIPTION}/resourceGroups/{group}/{PROVIDER}/{kind}/{name}"


class Base(Resource):
    attributes = []

    def __init__(self, provider):
        pass

    @classmethod
    def get_name(cls):
        return cls.name

    @classmethod
    def get_schema(cls):
        common = [text("id", computed=True), text("name", required=True, requires_replace=True)]
        return schema.Schema(version=0, attributes=common + cls.attributes)

    def validate(self, diags, type_name, config):
        pass

    def read(self, ctx, current):
        path = os.environ.get("FAKE_LIVE")
        live = json.load(open(path)).get(current["id"], {}) if path else {}
        return {**current, **live}

    def update(self, ctx, current, planned):
        return {**planned, "id": current["id"]}

    def delete(self, ctx, current):
        return None

    def import_(self, ctx, id):
        return None


class Flexible(Base):
    name = "postgresql_flexible_server"
    attributes = [
        text("resource_group_name", required=True, requires_replace=True),
        text("create_mode", optional=True),
        text("administrator_password", optional=True, sensitive=True),
        text("fqdn", computed=True),
    ]

    def create(self, ctx, planned):
        fqdn = planned["name"] + ".postgres.database.azure.com"
        return {**planned, "id": server(planned, "flexibleServers"), "fqdn": fqdn}


class Configuration(Base):
    name = "postgresql_flexible_server_configuration"
    attributes = [text("server_id", required=True, requires_replace=True), text("value", required=True)]

    def create(self, ctx, planned):
        return {**planned, "id": f"{planned['server_id']}/configurations/{planned['name']}"}


class Single(Base):
    name = "postgresql_server"
    attributes = [
        text("resource_group_name", required=True, requires_replace=True),
        schema.Attribute("ssl_enforcement_enabled", types.Bool(), required=True),
        text("ssl_minimal_tls_version_enforced", optional=True),
        text("administrator_login_password", optional=True, sensitive=True),
    ]

    def create(self, ctx, planned):
        return {**planned, "id": server(planned, "servers")}


class StandIn(Provider):
    def full_name(self):
        return "registry.terraform.io/hashicorp/azurerm"

    def get_model_prefix(self):
        return "azurerm_"

    def get_provider_schema(self, diags):
        return schema.Schema(attributes=[])

    def validate_config(self, diags, config):
        pass

    def configure_provider(self, diags, config):
        pass

    def get_data_sources(self):
        return []

    def get_resources(self):
        return [Flexible, Configuration, Single]

    def new_resource(self, klass):
        return klass(self)


run_provider(StandIn(), sys.argv)
