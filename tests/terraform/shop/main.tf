terraform {
  required_providers {
    azurerm = { source = "hashicorp/azurerm" }
  }
}
variable "name" {}
variable "enforce" { default = "on" }
resource "azurerm_postgresql_flexible_server" "this" {
  name                   = var.name
  resource_group_name    = "rg-mod"
  administrator_password = "S3cret-in-module"
}
resource "azurerm_postgresql_flexible_server_configuration" "tls" {
  for_each  = { require_secure_transport = var.enforce, log_connections = "on" }
  name      = each.key
  server_id = azurerm_postgresql_flexible_server.this.id
  value     = each.value
}
output "id" { value = azurerm_postgresql_flexible_server.this.id }
