# Warnings to a syslog server, as they come.
agent "alerts" {
  source "tail" "log" {
    include = ["${path.data}/in/app.log"]

    route {
      when     = strcontains(event.body, "WARN")
      channels = [channel.alerts]
    }
    route {
      drop = true
    }
  }

  channel "disk" "alerts" {}

  sink "socket" "syslog" {
    channel = channel.alerts
    address = "logs.example.com:6514"
    format  = "syslog"

    tls {
      ca = "ca.pem"
    }
  }
}
