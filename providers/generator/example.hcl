# A hundred events a second, numbered.
agent "test" {
  source "generator" "numbers" {
    rate     = 100
    count    = 1000
    body     = "event ${event.meta.offset}"
    channels = [channel.all]
  }

  channel "memory" "all" {}

  sink "console" "out" {
    channel = channel.all
  }
}
