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
resource "azurerm_postgresql_flexible_server_configuration" "deleted" {
  name      = "require_secure_transport"
  server_id = azurerm_postgresql_flexible_server.deleted.id
  value     = "off"
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
resource "azurerm_postgresql_flexible_server_configuration" "forgotten" {
  name      = "require_secure_transport"
  server_id = azurerm_postgresql_flexible_server.forgotten.id
  value     = "off"
}
module "shop" {
  source   = "../shop"
  for_each = toset(["a.b", "c"])
  name     = "pg-${each.key}"
}
resource "azurerm_postgresql_server" "legacy" {
  name                             = "pg-legacy"
  resource_group_name              = "rg-old"
  ssl_enforcement_enabled          = true
  ssl_minimal_tls_version_enforced = "TLS1_2"
  administrator_login_password     = "S3cret-legacy"
}
