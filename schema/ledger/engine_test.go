package ledger_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/ledger/pgtest"
)

// TestOnPostgres runs the tests of this package once more, with their ledgers in PostgreSQL.
func TestOnPostgres(t *testing.T) {
	if *ledger.OnPostgres {
		t.Skip("this is that run")
	}
	if _, err := pgtest.Programs(); errors.Is(err, pgtest.ErrAbsent) {
		t.Skip(err)
	}
	out, err := exec.CommandContext(t.Context(), os.Args[0], "-postgres", "-test.v").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
