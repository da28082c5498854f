// Package wait holds the ways in which the pipeline waits. Each ends with a context.
package wait
