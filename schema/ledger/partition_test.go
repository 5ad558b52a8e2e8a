package ledger_test

import (
	"crypto/md5" //nolint:gosec // ids that spread
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/ledger/pgtest"
)

// BenchmarkPartitions is why entries of PostgreSQL are one table. A page brings ids, and the current version of each is looked up: in
// one index, or in one for each month, since an index over partitions must begin with, or hold, what divides them. It asks for 500 of
// 360,000 ids in 1, 12 and 36 months.
func BenchmarkPartitions(b *testing.B) {
	server, err := pgtest.Start()
	if errors.Is(err, pgtest.ErrAbsent) {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			b.Error(err)
		}
	}()
	path, err := server.Ledger("parts")
	if err != nil {
		b.Fatal(err)
	}
	db := ledger.Raw(b, path)
	defer closing(b, db)
	var ids []string
	for i := range 500 {
		ids = append(ids, fmt.Sprintf("'%x'", md5.Sum([]byte(strconv.Itoa(i*719))))) //nolint:gosec // as the server makes them
	}
	for _, months := range []int{1, 12, 36} {
		b.Run(fmt.Sprint(months), func(b *testing.B) {
			name := fmt.Sprint("entries_", months)
			db.MustExec(`CREATE TABLE ` + name + ` (id BIGINT, source TEXT COLLATE "C", external_id TEXT COLLATE "C", occurred_at BIGINT, hash BYTEA, closed_seq BIGINT) PARTITION BY RANGE (occurred_at)`)
			for m := range months {
				db.MustExec(fmt.Sprintf(`CREATE TABLE %s_%d PARTITION OF %s FOR VALUES FROM (%d) TO (%d)`, name, m, name, m*360000/months, (m+1)*360000/months))
			}
			db.MustExec(`CREATE UNIQUE INDEX ON ` + name + ` (external_id, source, occurred_at) WHERE closed_seq IS NULL`)
			db.MustExec(`INSERT INTO ` + name + ` SELECT n, 'slash-main', md5(n::text), n, sha256(n::text::bytea), NULL FROM generate_series(0, 359999) AS n`)
			db.MustExec(`ANALYZE ` + name)
			b.ResetTimer()
			for b.Loop() {
				var found int
				if err := db.Get(&found, `SELECT count(hash) FROM `+name+` WHERE closed_seq IS NULL AND source = 'slash-main'
					AND external_id IN (`+strings.Join(ids, ", ")+`)`); err != nil || found != 500 {
					b.Fatal(found, err)
				}
			}
		})
	}
}
