// Command count reads the output of `go test -json`, shows what a person wants to see of it, and ends with a line that
// counts tests and subtests: "N passed, N failed, N skipped". It fails when a test failed, a package did not build, or no
// test ran at all.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

func main() {
	var passed, failed, skipped int
	output := map[string]*strings.Builder{} // of running tests, by package and test
	failedIn := map[string]bool{}           // packages with a failed test
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text()) // make and the toolchain speak plain text
			continue
		}
		key := e.Package + " " + e.Test
		switch {
		case e.Action == "build-output":
			fmt.Print(e.Output)
		case e.Action == "output":
			if output[key] == nil {
				output[key] = &strings.Builder{}
			}
			output[key].WriteString(e.Output)
		case e.Test != "" && e.Action == "pass":
			passed++
			delete(output, key)
		case e.Test != "" && e.Action == "skip":
			skipped++
			fmt.Printf("skip  %s %s\n", e.Package, e.Test)
			delete(output, key)
		case e.Test != "" && e.Action == "fail":
			failed++
			failedIn[e.Package] = true
			show(output[key])
			delete(output, key)
		case e.Test == "" && e.Action == "fail":
			if !failedIn[e.Package] { // it did not build, or died between tests
				failed++
			}
			show(output[key])
			for k, out := range output { // the tests that were running when it died
				if strings.HasPrefix(k, e.Package+" ") && k != key {
					show(out)
				}
			}
			fmt.Printf("FAIL  %s %.1fs\n", e.Package, e.Elapsed)
		case e.Test == "" && e.Action == "pass":
			fmt.Printf("ok    %s %.1fs\n", e.Package, e.Elapsed)
		}
	}
	if err := in.Err(); err != nil {
		fmt.Println("read test output:", err)
		failed++
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func show(out *strings.Builder) {
	if out != nil {
		fmt.Print(out.String())
	}
}
