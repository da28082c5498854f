# Interceptors and routing: access logs are parsed; errors go to two places, the health checks nowhere, the rest to an archive.
agent "web" {
  source "tail" "access" {
    include = ["${path.data}/in/access.log"]

    interceptor "regex_extract" {
      pattern = "^(?P<host>\\S+) \"(?P<method>[A-Z]+) (?P<path>\\S+)\" (?P<status>\\d{3})$"
    }

    route {
      when = event.headers.path == "/health"
      drop = true
    }
    route {
      when     = event.headers.status >= 500
      channels = [channel.errors, channel.archive]
    }
    route {
      channels = [channel.archive]
    }
  }

  channel "disk" "errors" { max_size = "64MiB" }
  channel "disk" "archive" { max_size = "256MiB" }

  sink "file" "errors" {
    channel = channel.errors
    path    = "${path.data}/out/errors.json"
    format  = "json"
  }

  sink "file" "archive" {
    channel = channel.archive
    path    = "${path.data}/out/${formatdate("YYYY-MM-DD", event.time)}.log"
  }
}

output "out" {
  value = "${path.data}/out"
}
