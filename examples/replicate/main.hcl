# One source to two sinks, each with its own progress: a slow archive does not hold the live copy until its channel is full. Then the
# source waits: nothing is dropped.

collect {
  name = "replicate" # the same installation from every checkout; a copy that is another one gets a name of its own
}

agent "fan" {
  source "generator" "events" {
    rate     = 100
    count    = 1000
    channels = [channel.live, channel.archive]
  }

  channel "memory" "live" {}                       # fast; what is in it is read again from the source after a crash
  channel "disk" "archive" { max_size = "256MiB" } # holds what the archive has not taken yet, also over a crash

  sink "file" "live" {
    channel = channel.live
    path    = "${path.data}/live.log"
  }

  sink "file" "archive" {
    channel = channel.archive
    path    = "${path.data}/archive/events.log"

    roll {
      size = "1MiB"
      idle = "2s"
    }
  }
}

output "live" {
  value = "${path.data}/live.log"
}
