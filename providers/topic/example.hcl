# A topic whose records stay for a day. Without brokers it lives in the development broker.
topic "driver_info" {
  name       = "SmartCar-Topic"
  partitions = 4
  config     = { "retention.ms" = duration("24h", "ms") }
}
