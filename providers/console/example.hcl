# Shows a line a second.
agent "hello" {
  source "generator" "lines" {
    rate     = 1
    channels = [channel.all]
  }

  channel "memory" "all" {}

  sink "console" "screen" {
    channel = channel.all
    format  = "json"
  }
}
