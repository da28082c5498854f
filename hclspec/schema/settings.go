package schema

import (
	"fmt"
	"time"
)

// Bounds of settings that every component of a kind has.
const (
	maxBatchEvents = 1 << 20
	maxBatchBytes  = 64 << 20
)

// Validate says what is wrong with the settings of a source: first the argument, then a colon.
func (s SourceSettings) Validate() error {
	switch b, f := s.Batch, s.InFlight; {
	case b.MaxEvents < 1 || b.MaxEvents > maxBatchEvents:
		return fmt.Errorf("batch.max_events must be between 1 and %d", maxBatchEvents)
	case b.MaxBytes < 1 || b.MaxBytes > maxBatchBytes:
		return fmt.Errorf("batch.max_bytes must be between 1 and %s", FormatSize(maxBatchBytes))
	case f.MaxBatches < 1:
		return fmt.Errorf("in_flight.max_batches must be at least 1")
	case f.MaxBytes < b.MaxBytes:
		return fmt.Errorf("in_flight.max_bytes must be at least batch.max_bytes, which is %s", FormatSize(int64(b.MaxBytes)))
	case s.AckTimeout <= 0:
		return fmt.Errorf("ack_timeout must be longer than 0s")
	}
	return nil
}

// Validate says what is wrong with the settings of a sink. Limits of 0 are none.
func (s SinkSettings) Validate() error {
	switch {
	case s.Batch.MaxEvents < 0:
		return fmt.Errorf("batch.max_events must not be negative")
	case s.Batch.MaxBytes < 0:
		return fmt.Errorf("batch.max_bytes must not be negative")
	}
	return pauses("retry", s.Retry.Initial, s.Retry.Max)
}

// Validate says what is wrong with the settings of a group.
func (s GroupSettings) Validate() error { return pauses("backoff", s.Backoff.Initial, s.Backoff.Max) }

func pauses(name string, first, longest time.Duration) error {
	switch {
	case first <= 0:
		return fmt.Errorf("%s.initial must be longer than 0s", name)
	case longest < first:
		return fmt.Errorf("%s.max must not be shorter than initial, which is %s", name, FormatDuration(first))
	}
	return nil
}

// CheckSettings holds the settings of a component of some kind against what they mean.
func CheckSettings(kind Kind, c Config) error {
	switch kind {
	case Source:
		s := DefaultSourceSettings()
		if err := Decode(c, nil, &s); err != nil {
			return err
		}
		return s.Validate()
	case Sink:
		s := DefaultSinkSettings()
		if err := Decode(c, nil, &s); err != nil {
			return err
		}
		return s.Validate()
	case SinkGroup:
		s := DefaultGroupSettings()
		if err := Decode(c, nil, &s); err != nil {
			return err
		}
		return s.Validate()
	}
	return nil
}
