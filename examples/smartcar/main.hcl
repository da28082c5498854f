# The smart-car collection: 100 cars' status file of one day to a warehouse in batch, 100 drivers' driving log to Kafka as it
# happens. Both are made by the simulator. Without any variable it needs no server: the topic lives in the development
# broker and the warehouse in a directory.

collect {
  name = "smartcar"
}

variable "brokers" {
  type        = list(string)
  default     = []
  description = "Kafka bootstrap servers; empty: the development broker."
}

variable "warehouse" {
  type        = string
  default     = ""
  description = "Where the warehouse lies, such as hdfs://namenode:8020/collect; empty: a directory of the installation."
}

variable "hours" {
  type        = number
  default     = 1
  description = "Simulated hours of the status day. 24 is the full day: 2,160,100 lines."

  validation {
    condition     = var.hours > 0 && var.hours <= 24
    error_message = "A day has 24 hours."
  }
}

variable "date" {
  type        = string
  default     = "20260101"
  description = "The simulated day."
}

locals {
  warehouse = var.warehouse != "" ? var.warehouse : "file://${path.data}/warehouse"
  spool     = "${path.data}/car-batch-log"
  driving   = "${path.data}/driver-realtime-log/SmartCarDriverInfo.log"
}

provider "kafka" {
  brokers = var.brokers
}

topic "driver_info" {
  name       = "SmartCar-Topic"
  partitions = 4
  config     = { "retention.ms" = duration("1h", "ms") }
}

output "warehouse" {
  value       = "${local.warehouse}/car-batch-log"
  description = "The status lines, a directory a day."
}

output "topic" {
  value       = topic.driver_info.name
  description = "The driving lines, keyed by car."
}
