# Lines of a log into one file that grows, and errors into files of a day that appear complete.
agent "copy" {
  source "tail" "log" {
    include = ["${path.data}/in/app.log"]

    interceptor "regex_extract" {
      pattern = "(?P<level>INFO|WARN|ERROR)"
    }

    route {
      when     = event.headers.level == "ERROR"
      channels = [channel.all, channel.errors]
    }
    route {
      channels = [channel.all]
    }
  }

  channel "memory" "all" {}
  channel "disk" "errors" {}

  sink "file" "all" {
    channel = channel.all
    path    = "${path.data}/out/all.log"
  }

  sink "file" "errors" {
    channel     = channel.errors
    path        = "${path.data}/out/errors/${formatdate("YYYYMMDD", event.time)}.json"
    format      = "json"
    compression = "gzip"

    roll {
      size = "64MiB"
      idle = "5m"
    }
    keep {
      age = "30d"
    }
  }
}
