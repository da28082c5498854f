# Follows the logs of all services, one folder for each, through rotation: app.log, app.log.1, app.log.2.gz are read once each. The
# folder's name becomes the header service. Lines that do not begin with a date belong to the event before: a stack trace is one event.
agent "logs" {
  source "tail" "services" {
    include  = ["${path.data}/in/{service}/*.log*"]
    exclude  = ["*.tmp"]
    channels = [channel.all]

    multiline {
      first_line = "^\\d{4}-\\d{2}-\\d{2} "
      timeout    = "2s"
    }
  }

  channel "disk" "all" {}

  sink "file" "out" {
    channel = channel.all
    path    = "${path.data}/out/${event.headers.service}.log"
  }
}
