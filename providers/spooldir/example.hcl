# Reads the files that are moved into a folder, line by line, and renames each to *.COMPLETED once its last line is safe. A file that
# is written in place is taken when it has not changed for 5 seconds; one that changes after that is set aside with an error.
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
