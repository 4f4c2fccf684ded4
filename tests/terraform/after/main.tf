terraform {
  required_providers {
    azurerm = { source = "hashicorp/azurerm" }
  }
}
variable "later" { default = "on" }
resource "terraform_data" "late" { input = var.later }
resource "azurerm_postgresql_flexible_server" "kept" {
  name                   = "pg-kept"
  resource_group_name    = "rg-shop"
  administrator_password = "S3cret-kept"
}
resource "azurerm_postgresql_flexible_server_configuration" "kept" {
  name      = "require_secure_transport"
  server_id = azurerm_postgresql_flexible_server.kept.id
  value     = "on"
}
resource "azurerm_postgresql_flexible_server" "deleted" {
  name                = "pg-deleted"
  resource_group_name = "rg-shop"
}
resource "azurerm_postgresql_flexible_server" "drift" {
  name                = "pg-drift"
  resource_group_name = "rg-shop"
}
resource "azurerm_postgresql_flexible_server_configuration" "drift" {
  name      = "require_secure_transport"
  server_id = azurerm_postgresql_flexible_server.drift.id
  value     = "on"
}
resource "azurerm_postgresql_flexible_server" "forgotten" {
  name                = "pg-forgotten"
  resource_group_name = "rg-shop"
}
removed {
  from = azurerm_postgresql_flexible_server_configuration.forgotten
  lifecycle {
    destroy = false
  }
}
module "shop" {
  source   = "../shop"
  for_each = toset(["a.b", "c"])
  name     = "pg-${each.key}"
  enforce  = each.key == "c" ? "off" : "on"
}
resource "azurerm_postgresql_server" "legacy" {
  name                             = "pg-legacy"
  resource_group_name              = "rg-old"
  ssl_enforcement_enabled          = false
  ssl_minimal_tls_version_enforced = "TLS1_2"
  administrator_login_password     = "S3cret-legacy"
}

resource "azurerm_postgresql_flexible_server" "fleet" {
  count               = 2
  name                = "pg-fleet-${count.index}"
  resource_group_name = "rg-shop"
}
resource "azurerm_postgresql_flexible_server_configuration" "fleet" {
  count     = 2
  name      = "require_secure_transport"
  server_id = azurerm_postgresql_flexible_server.fleet[count.index].id
  value     = "off"
}
resource "azurerm_postgresql_flexible_server" "plain" {
  name                = "pg-plain"
  resource_group_name = "rg-shop"
}
resource "azurerm_postgresql_flexible_server" "copy" {
  name                = "pg-copy"
  resource_group_name = "rg-shop"
  create_mode         = "Replica"
}
resource "azurerm_postgresql_flexible_server" "late" {
  name                = "pg-late"
  resource_group_name = "rg-shop"
}
resource "azurerm_postgresql_flexible_server_configuration" "late" {
  name      = "require_secure_transport"
  server_id = azurerm_postgresql_flexible_server.late.id
  value     = terraform_data.late2.output
}
resource "terraform_data" "late2" { input = var.later }
module "outside" {
  source     = "../settings"
  server_id  = module.shop["c"].id
  server_new = azurerm_postgresql_flexible_server.plain2.id
}
resource "azurerm_postgresql_flexible_server" "plain2" {
  name                = "pg-plain2"
  resource_group_name = "rg-shop"
}
