// Package expr evaluates the expressions of a configuration that depend on the event, such as
//
//	when = event.headers.speed > 120
//	path = "file:///data/${event.headers.kind}/${formatdate("YYYYMMDD", event.time)}"
//
// [Residual] runs where the configuration is planned: it checks an expression, folds everything that does not depend on the event
// into it, and gives what goes into an agent's spec. [Compile] runs in the agent: it turns that into a [Program], a tree of
// Go closures over an [Event] which does not allocate on its usual paths. Both use the same compiler, so that what was
// accepted at plan time runs.
//
// Rules that differ from plain HCL, all on purpose:
//   - A path on event, a function, its arity and types, a literal pattern and a literal layout are checked before anything runs,
//     also inside can and try, which catch only what depends on the event.
//   - Bodies and headers are bytes: they are not normalised, and not copied where they are not changed.
//   - Numbers are float64; a number becomes text in its shortest form without an exponent.
//   - == between a text and a number or bool, which HCL would make silently false, is an error.
//   - A condition whose result is the same for every event is an error.
//   - A missing header, a failed conversion or a pattern that does not match is an [EventError]; conditions treat it as false.
//
// The package also holds the table of functions ([Functions]) that the language offers at plan time.
package expr
