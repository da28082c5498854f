# A hundred numbered events a second, for ten seconds: to try a route or a sink without data of one's own.
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
