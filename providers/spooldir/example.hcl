# Reads the files that are moved into a folder, line by line, and renames each to *.COMPLETED once it is safe.
agent "inbox" {
  source "spooldir" "daily" {
    path     = "${path.data}/spool"
    include  = ["*.txt", "*.csv"]
    order    = "name"
    settle   = "5s"
    channels = [channel.daily]
  }

  channel "disk" "daily" {}

  sink "console" "out" {
    channel = channel.daily
  }
}
