package pipeline

import (
	"encoding/json"

	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema"
)

// settings is what was in force for a run. It records it as its parameters, so that a report as of that run judges as was judged
// then, whatever the configuration says today.
type settings struct {
	Parameters []reports.Parameter     `json:"parameters"`
	Checks     reconcile.Config        `json:"checks"`
	Scopes     map[string]schema.Scope `json:"scopes"` // of the sources, by name

	// Backfill is, of a backfill and by source, the run before the undertaking that it is part of: see undertaking.
	Backfill map[string]int64 `json:"backfill,omitempty"`
}

// settings are those of today.
func (p *Pipeline) settings() settings {
	return settings{Parameters: p.Parameters, Checks: p.Checks, Scopes: p.scopes}
}

// encode is what a run records. Nothing in settings can fail to be encoded.
func (s settings) encode() string {
	text, err := json.Marshal(s)
	if err != nil {
		return "{}"
	}
	return string(text)
}

// inForce is the settings that the first of some runs recorded that recorded any, else those of today.
func (p *Pipeline) inForce(runs ...schema.Run) settings {
	for _, run := range runs {
		var recorded settings
		if json.Unmarshal([]byte(run.Parameters), &recorded) == nil && len(recorded.Checks.Sources) > 0 {
			return recorded
		}
	}
	return p.settings()
}
