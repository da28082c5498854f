// Package pipeline joins the components of one agent: it emits what sources read through interceptors and routes into
// channels, and delivers what channels hold through sinks, with retry, dead letters, acknowledgement and positions.
package pipeline
