package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

// forgedHashes computes the hash of each row of a table from what it holds now, by id, and adds it to its commit's.
func (l *Ledger) forgedHashes(ctx context.Context, t table, digests map[int64]parts) (map[int64][]byte, error) {
	rows, err := l.write.QueryxContext(ctx, "SELECT id, commit_seq, "+strings.Join(t.columns, ", ")+" FROM "+t.name+" ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	hashes := map[int64][]byte{}
	for rows.Next() {
		values, err := rows.SliceScan()
		if err != nil {
			return nil, err
		}
		id, seq := values[0].(int64), values[1].(int64)
		hashes[id] = rowHash(sha256.New(), t, seq, id, values[2:])
		if digests[seq] == nil {
			digests[seq] = parts{}
		}
		digests[seq].add(t.name, hashes[id])
	}
	return hashes, rows.Err()
}

// forge changes rows and then computes every hash of the ledger anew, as somebody would who knows how.
func (l *Ledger) forge(ctx context.Context, statement string) error {
	if _, err := l.write.ExecContext(ctx, statement); err != nil {
		return err
	}
	digests := map[int64]parts{}
	for _, t := range tables() {
		hashes, err := l.forgedHashes(ctx, t, digests)
		if err != nil {
			return err
		}
		for id, hash := range hashes {
			if _, err := l.write.ExecContext(ctx, l.write.Rebind("UPDATE "+t.name+" SET hash = ? WHERE id = ?"), hash, id); err != nil {
				return err
			}
		}
	}
	var commits []struct {
		Seq   int64
		RunID int64 `db:"run_id"`
		Kind  string
	}
	if err := l.write.SelectContext(ctx, &commits, `SELECT seq, run_id, kind FROM commits ORDER BY seq`); err != nil {
		return err
	}
	var prev []byte
	for _, c := range commits {
		digest, counts := digests[c.Seq].sum()
		prev = rootOf(prev, c.Seq, c.RunID, c.Kind, counts, digest)
		if _, err := l.write.ExecContext(ctx, l.write.Rebind(`UPDATE commits SET counts = ?, digest = ?, root = ? WHERE seq = ?`), counts, digest, prev, c.Seq); err != nil {
			return err
		}
	}
	return nil
}

func TestVerify_AForgedChain(t *testing.T) {
	now := time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ forgery, want string }{
		"HoldsWhereNothingSaysOtherwise":  {`UPDATE notes SET detail = 'x'`, ""},
		"IsSeenByTheHashOfAPayload":       {`UPDATE records SET payload = '{"n":2}'`, "its payload does not give its sha"},
		"IsSeenByTheHashOfACompletedWalk": {`UPDATE completeness SET sha256 = 'ab'`, "its 1 records give the hash"},
		"IsSeenByTheIDOfAFinding":         {`UPDATE findings SET card_id = 'another'`, "its columns give the id"},
		"IsSeenByACurrencyThatIsNone":     {`UPDATE entries SET currency = 'XYZ'`, "XYZ"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Open(t.Context(), Config{Path: NewPath(t), Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			run, err := l.StartRun(t.Context(), schema.Run{Kind: schema.SyncRun, StartedAt: now, Zone: "UTC", Parameters: "{}"})
			if err != nil {
				t.Fatal(err)
			}
			base := schema.Entry{Source: "s", Provider: schema.Bill, ExternalID: "e", Kind: schema.Purchase, Status: schema.Posted, OccurredAt: now}
			if base.Amount, err = amount(new(int64), "USD"); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Commit(t.Context(), Group{
				Run: run.ID, Source: "s", Provider: schema.Bill, Stream: schema.Transactions,
				Records: []schema.Record{{ExternalID: "e", ReceivedAt: now, Payload: []byte(`{"n":1}`)}},
				Batch:   schema.Batch{Entries: []schema.Entry{base}, Notes: []schema.Note{{ExternalID: "e", Field: "f"}}},
				Completeness: &schema.Completeness{
					Source: "s", Stream: schema.Transactions, Records: 1, RecordedAt: now, Verdict: schema.VerdictComplete,
					SHA256: sha256Hex([]byte("{\"n\":1}\n")),
				},
			}); err != nil {
				t.Fatal(err)
			}
			finding := schema.Finding{Code: schema.StalePending, Source: "s", CardID: "c", Subject: "x", SubjectAt: now}
			if _, err := l.SaveFindings(t.Context(), FindingSet{Run: run.ID, Findings: []schema.Finding{finding}}); err != nil {
				t.Fatal(err)
			}
			if v, err := l.Verify(t.Context(), ""); err != nil || v.Problem != "" || v.Walks != 1 {
				t.Fatalf("before: %+v %v", v, err)
			}
			if err := l.forge(t.Context(), c.forgery); err != nil {
				t.Fatal(err)
			}
			v, err := l.Verify(t.Context(), "")
			if err != nil || (c.want == "") != (v.Problem == "") || !strings.Contains(v.Problem, c.want) {
				t.Errorf("%q %v", v.Problem, err)
			}
		})
	}
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
