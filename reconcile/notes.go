package reconcile

import (
	"context"
	"fmt"

	"github.com/tieout/tieout/schema"
)

// readNotes lists the notes of one code, by source, stream, external id, field.
func readNotes(ctx context.Context, v schema.View, code schema.NoteCode) ([]schema.Note, error) {
	var notes []schema.Note
	for n, err := range v.Notes.Notes(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read notes: %w", err)
		}
		if n.Code == code {
			notes = append(notes, n)
		}
	}
	return notes, nil
}
