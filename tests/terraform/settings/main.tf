terraform {
  required_providers {
    azurerm = { source = "hashicorp/azurerm" }
  }
}
variable "server_id" {}
variable "server_new" {}
resource "azurerm_postgresql_flexible_server_configuration" "floor" {
  name      = "ssl_min_protocol_version"
  server_id = var.server_id
  value     = "TLSv1.3"
}
resource "azurerm_postgresql_flexible_server_configuration" "tls" {
  name      = "require_secure_transport"
  server_id = var.server_new
  value     = "on"
}
