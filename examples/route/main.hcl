# Interceptors and routing: access logs are parsed; errors go to two places, the health checks nowhere, the rest to an archive.
# A line looks like this: 10.0.0.1 "GET /cars/7" 503. One that does not has no headers; it fits no condition and goes to the archive.

collect {
  name = "route" # the same installation from every checkout; a copy that is another one gets a name of its own
}

agent "web" {
  source "tail" "access" {
    include = ["${path.data}/in/access.log"]

    interceptor "regex_extract" {
      pattern = "^(?P<host>\\S+) \"(?P<method>[A-Z]+) (?P<path>\\S+)\" (?P<status>\\d{3})$"
    }

    # the first route whose condition holds takes the event; the last one has no condition
    route {
      when = event.headers.path == "/health"
      drop = true # counted: see collect status
    }
    route {
      when     = event.headers.status >= 500
      channels = [channel.errors, channel.archive] # to both or to none
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
