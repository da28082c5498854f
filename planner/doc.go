// Package planner turns a configuration and reality into a plan, and a plan into reality.
//
// [New] asks the kinds (package resource) what exists, compares it with what the configuration wants, and orders what has to be
// done as steps with edges. [Apply] only walks these steps: it decides nothing that the plan did not show. A plan can be
// written to a file ([WritePlan]) and carried out later on the same installation, as long as what it relied on is unchanged.
//
//	configuration ──▶ objects ─┐
//	                           ├─▶ changes ──▶ steps ──▶ apply ──▶ state
//	reality, state ──▶ lives ──┘
//
// What happens in which order:
//
//   - what is made comes after what it refers to: broker, topics, receiving agents, sending agents;
//   - what goes away goes after everything that used it: sending agents, receiving agents, topics, broker;
//   - agents that nothing else waits for go before anything is made, so that ports and files are free.
//
// The planner never touches a process or a broker itself and never prints.
package planner
