// Package supervisor starts, watches and stops the processes of an installation: its agents and its development broker. There is one
// supervisor for each data directory, held apart by a lock.
//
// It promises that what is desired runs: a process that ends is started again, with growing pauses. It may die at any
// moment: agents go on without it, and the next supervisor adopts them by their lock, process id and start time. It never
// runs a second copy of a process: the lock of an agent decides, not the supervisor. It runs only a verified copy of
// the program, in sessions of their own, without a terminal or a pipe that could end.
//
// It never reads a configuration and never decides what is desired; the planner says so over the control socket.
package supervisor
