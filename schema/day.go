package schema

import "time"

// StartOfDay is the first instant at which the clocks of a zone show 00:00 of a date or later: where 00:00 is skipped, the
// instant of the jump; where it comes twice, the first. time.Date gives an hour of the day before for the one, and may give
// the second for the other. Days and months may lie outside their usual ranges, as for time.Date.
func StartOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	for at := date.Add(-26 * time.Hour).In(zone); ; { // no offset reaches 26 hours: at is before the date everywhere
		_, offset := at.Zone()
		_, end := at.ZoneBounds()
		start := date.Add(-time.Duration(offset) * time.Second)
		if start.Before(at) {
			start = at
		}
		if end.IsZero() || start.Before(end) {
			return start.UTC()
		}
		at = end
	}
}
