package main

import _ "embed"

// configTemplate is what `tieout init` writes.
//
//go:embed tieout.yaml
var configTemplate string
