// Package smartcar is the source "smartcar": a simulator of cars that report their state and of people who drive them. It is what the
// examples collect. The same arguments give the same lines, on every machine and after every restart.
//
// Status, one day: a header line for each car, then every 4 simulated seconds from 000000 to 240000 a line of each car:
//
//	SmartCar Status Information,CarNum,TireFL,…,BatteryInfo
//	20260101000000,B0042,93,88,97,80,1,1,1,1,A,B,91
//
// That is 21,601 lines a car besides the header. Driving: one header line, then every 2 simulated seconds a line of each driver,
// day after day:
//
//	20260101000002,B0042,2,0,F,N,48,C07
package smartcar

import (
	"errors"
	"fmt"
	"time"

	"collect/hclspec/schema"
)

// Config is what a user writes.
type Config struct {
	Kind  string  `collect:"kind,required,enum=status|driving" doc:"status: what the cars report, one day. driving: what the drivers do, day after day."`
	Cars  int     `collect:"cars" doc:"How many cars, or drivers."`
	Date  string  `collect:"date" doc:"The simulated day, such as \"20260101\" or \"2026-01-01\"; empty: the day of the first start, which is remembered."`
	Hours int     `collect:"hours" doc:"Simulated hours; 0: 24 for status, without end for driving."`
	Speed float64 `collect:"speed" doc:"Simulated seconds a second; 0 is as fast as possible. At 20 each of 100 drivers gives a line every 100 ms."`
	Seed  int     `collect:"seed" doc:"Another seed gives other cars and other lines."`
	Wild  float64 `collect:"wild" doc:"The part of the drivers who are harder on the pedals, 0 to 1."`
}

// Defaults gives the defaults.
func Defaults() Config { return Config{Cars: 100, Wild: 0.1} }

// About tells what the component is.
func About() schema.About {
	return schema.About{
		Doc: "Simulates the logs of smart cars. Events have the headers kind and date (YYYYMMDD); the last one of a day has last = " +
			"\"true\". When all hours are simulated the source stays, and does nothing. It replays: same arguments, same lines.",
		Replay: schema.Replays,
	}
}

// Validate checks what tags cannot say.
func (c Config) Validate() error {
	switch {
	case c.Cars < 1 || c.Cars > 100000:
		return errors.New("cars must be between 1 and 100000")
	case c.Hours < 0 || c.Kind == "status" && c.Hours > 24:
		return errors.New("hours must be between 0 and 24")
	case c.Hours > 24*3650:
		return errors.New("hours must be at most 87600")
	case c.Speed < 0 || c.Speed > 1e6:
		return errors.New("speed must be between 0 and 1000000")
	case c.Wild < 0 || c.Wild > 1:
		return errors.New("wild must be between 0 and 1")
	case c.Kind == "driving" && c.Speed == 0 && c.Hours == 0:
		return errors.New("driving without end needs a speed, such as 20, or hours")
	}
	_, err := parseDate(c.Date)
	return err
}

const dateLayout = "20060102"

// parseDate reads a day; "" gives the zero time.
func parseDate(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{dateLayout, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("date: %q is not a day such as \"20260101\"", text)
}
