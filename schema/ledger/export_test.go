package ledger

// OnDisk is a configuration with another disk: how links are made on it (nil: as always), and who is told of each step.
func OnDisk(c Config, link func(from, to string) error, step func(name string)) Config {
	c.disk = disk{link: link, step: step}
	return c
}

// Path is where the ledger is.
func (l *Ledger) Path() string { return l.path }
