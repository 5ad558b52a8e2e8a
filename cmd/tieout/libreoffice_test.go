package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/tieout/tieout/extract/sandbox"
)

// TestWorkbook_OpensInLibreOffice has a foreign program open the workbook, compute its formulas, and write its sheets as
// CSV: the amounts must be those of the ledger, and the formulas numbers.
func TestWorkbook_OpensInLibreOffice(t *testing.T) {
	office, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("soffice is not installed (Debian package libreoffice-calc)")
	}
	s := newSite(t, sandbox.Config{Seed: 6}, nil)
	out, sheets := filepath.Join(s.dir, "out"), t.TempDir()
	s.must(t, "nightly", "--out", out)
	cmd := exec.CommandContext(t.Context(), office, "--headless", "-env:UserInstallation=file://"+filepath.ToSlash(t.TempDir()),
		"--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1",
		"--outdir", sheets, filepath.Join(out, "tieout.xlsx"))
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	inBook := map[string]string{}
	for _, row := range table(t, filepath.Join(sheets, "tieout-Ledger.csv")) {
		inBook[row["Entry id"]] = row["Amount"]
	}
	inLedger := table(t, filepath.Join(out, "ledger.csv"))
	if len(inBook) != len(inLedger) || len(inLedger) == 0 {
		t.Fatalf("%d entries on the sheet, %d in the ledger", len(inBook), len(inLedger))
	}
	for _, row := range inLedger {
		if !sameNumber(inBook[row["entry_id"]], row["amount"]) {
			t.Errorf("%s: %s on the sheet, %s in the ledger", row["entry_id"], inBook[row["entry_id"]], row["amount"])
		}
	}
	summary, err := os.ReadFile(filepath.Join(sheets, "tieout-Summary.csv"))
	if err != nil {
		t.Fatal(err)
	}
	// This export quotes what formulas give.
	for _, row := range table(t, filepath.Join(out, "control_totals.csv")) {
		if row["currency"] == "" {
			continue
		}
		line := regexp.MustCompile(`(?m)^` + row["source"] + `,` + row["currency"] + `,"(\d+)","(\d+)","(\d+)","(\d+)","([-0-9.]+)","([-0-9.]+)","([-0-9.]+)",`)
		m := line.FindStringSubmatch(string(summary))
		if m == nil {
			t.Errorf("no line of numbers for %s %s on the Summary sheet:\n%s", row["source"], row["currency"], summary)
			continue
		}
		for i, column := range []string{"entries", "posted", "pending", "declined", "debits", "credits", "net"} {
			if !sameNumber(m[i+1], row[column]) {
				t.Errorf("%s %s: %s on the sheet, %s in the control totals", row["source"], column, m[i+1], row[column])
			}
		}
	}
}
