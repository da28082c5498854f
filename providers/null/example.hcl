# Counts what the generator can make.
agent "measure" {
  source "generator" "lines" {
    rate     = 0
    channels = [channel.all]
  }

  channel "memory" "all" {}

  sink "null" "end" {
    channel = channel.all
  }
}
