// Command collect declares, plans and applies data collection.
package main

func main() {}
