package sandbox

import (
	"time"
	_ "time/tzdata" // worlds have limits in zones, also where the machine knows none

	"github.com/tieout/tieout/schema"
)

// zone loads one of the zones below, which the embedded data holds.
func zone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return loc
}

func (d *draft) anyZone() *time.Location {
	if d.chance(1, 4) {
		return nil
	}
	return d.farZone()
}

// farZone is hours away from UTC.
func (d *draft) farZone() *time.Location {
	return zone(one(d.dice, "America/New_York", "America/Los_Angeles", "Asia/Tokyo", "Asia/Kolkata", "Australia/Sydney"))
}

// until ends the natural life of a card some days before the world ends.
func (d *draft) until(least, most instant) {
	d.to = max(d.from, d.w.now-d.moment(least, most))
}

// Slash

// slashLimit is a limit over a window, sometimes in a zone and with an anchor of its own.
func (d *draft) slashLimit(window schema.LimitWindow) limit {
	l := limit{window: window, zone: d.anyZone()}
	if window != schema.Lifetime && d.chance(3, 5) {
		l.start = d.w.start.time().AddDate(0, 0, -int(d.between(20, 300))).Format(time.DateOnly)
	}
	if window == schema.Monthly && d.chance(1, 4) {
		l.start = time.Date(d.w.start.time().Year()-1, one(d.dice, time.January, time.May, time.October), 31, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	}
	d.zone = l.location()
	return l
}

func slashCard(window schema.LimitWindow) func(*draft) {
	return func(d *draft) {
		d.limits = []limit{d.slashLimit(window)}
		d.v1 = d.chance(1, 3)
		if !d.v1 && d.chance(1, 3) { // an older limit that no longer counts, low enough to be noticed by who takes it for one
			d.legacy = &limit{window: schema.Monthly, amount: 100}
		}
	}
}

// slashLong has one monthly limit whose window began a while ago, in a zone far from UTC.
func slashLong(d *draft) {
	began := d.w.now.time().AddDate(0, 0, -int(d.between(9, 24)))
	d.limits = []limit{{window: schema.Monthly, zone: d.farZone(), start: began.AddDate(0, -6, 0).Format(time.DateOnly)}}
	d.zone = d.limits[0].location()
	d.v1 = d.chance(1, 3)
}

func slashSeveral(d *draft) {
	d.limits = []limit{d.slashLimit(schema.Daily), d.slashLimit(schema.Weekly), d.slashLimit(schema.Monthly)}
	for i := range d.limits {
		d.limits[i].zone = d.limits[0].zone
	}
	d.zone = d.limits[0].location()
}

func slashBare(d *draft) {
	d.physical = d.chance(1, 2)
	d.status = one(d.dice, "active", "active", "paused")
	if d.status != "active" {
		d.until(3*day, 20*day)
	}
}

func slashClosed(d *draft) {
	slashCard(schema.Lifetime)(d)
	d.status = one(d.dice, "closed", "closed", "inactive")
	d.until(12*day, 40*day)
}

// slashSingle is a card that one authorization closes, even a declined one.
func slashSingle(d *draft) {
	d.single, d.status = true, "closed"
	t := d.when(d.from, d.to-12*day)
	if d.chance(1, 2) {
		d.void(t, schema.Declined, "declined", d.amount())
		return
	}
	p, _ := d.settling(t + 2*day)
	d.purchase(t, p, d.amount())
}

// Whop

func whopWord(d *draft, window schema.LimitWindow) string {
	switch window {
	case schema.Lifetime:
		return one(d.dice, "one_time", "allTime")
	case schema.PerEntry:
		return one(d.dice, "per_transaction", "perAuthorization")
	case schema.Rolling24h:
		return "per24HourPeriod"
	case schema.Rolling7d:
		return "per7DayPeriod"
	case schema.Rolling30d:
		return "per30DayPeriod"
	case schema.Rolling365d:
		return "perYearPeriod"
	}
	return string(window) // daily, weekly, monthly
}

func whopCard(window schema.LimitWindow) func(*draft) {
	return func(d *draft) {
		d.limits = []limit{{window: window, word: whopWord(d, window)}}
		d.kind = one(d.dice, "virtual", "virtual", "physical")
	}
}

func whopBare(d *draft) {
	d.status = one(d.dice, "active", "frozen")
	d.noFigure = d.chance(1, 4)
	if d.status == "frozen" {
		d.until(3*day, 20*day)
	}
}

func whopCanceled(d *draft) {
	whopCard(schema.Monthly)(d)
	d.status = "canceled"
	d.until(12*day, 40*day)
	d.closed = d.to + 11*day
}

func whopInvited(d *draft) {
	whopCard(schema.Daily)(d)
	d.status, d.from = "invited", d.to
}

// BILL

// billCard has a budget of its own whose current period is that of an interval.
func billCard(interval string) func(*draft) {
	return func(d *draft) {
		zone := d.anyZone()
		d.zone = time.UTC
		if zone != nil {
			d.zone = zone
		}
		now := d.w.now.in(d.zone)
		y, m, day := now.Date()
		at := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
		var start, end time.Time
		switch interval {
		case "DAILY":
			start, end = at(y, m, day), at(y, m, day)
		case "WEEKLY":
			start = at(y, m, day-(int(now.Weekday())+6)%7)
			end = start.AddDate(0, 0, 6)
		case "MONTHLY":
			start, end = at(y, m, 1), at(y, m+1, 0)
		case "QUARTERLY":
			start = at(y, (m-1)/3*3+1, 1)
			end = start.AddDate(0, 3, -1)
		case "YEARLY":
			start, end = at(y, 1, 1), at(y, 12, 31)
		default:
			start = at(y, m, day-int(d.between(12, 36)))
			end = start.AddDate(0, 0, 90)
		}
		d.budget = d.newBudget(interval, zone)
		d.budget.start, d.budget.end = start.Format(time.DateOnly), end.Format(time.DateOnly)
		d.limits = []limit{{window: schema.BudgetPeriod, zone: zone}}
	}
}

// billLong has a budget that began a while ago, in a zone far from UTC.
func billLong(d *draft) {
	billCard("NONE")(d)
	d.budget.zone = d.farZone()
	d.zone = d.budget.zone
}

func billUndated(d *draft) {
	billCard("MONTHLY")(d)
	d.budget.start, d.budget.end = "", ""
}

func (d *draft) newBudget(interval string, zone *time.Location) *budget {
	uuid := "bdg_" + d.code(base62, 22)
	return &budget{
		id: billID("Budget", uuid), uuid: uuid, name: one(d.dice, "Travel", "Software ", "Marketing", "Büro") + " " + d.code(digits, 3),
		zone: zone, interval: interval, begin: d.w.start.time().AddDate(-1, 0, 0).Format(time.DateOnly),
	}
}

// billShared spends from a budget that other cards may spend from too; its own limit says 0 and means nothing.
func billShared(d *draft) {
	billCard("MONTHLY")(d)
	if n := len(d.book.budgets); n > 0 {
		d.budget = d.book.budgets[d.IntN(n)]
		d.zone = d.budget.location()
	}
	d.limits, d.share, d.most = nil, true, 123_456_789
}

// billPhysical has no budget and so no period: its figures can only be compared with one another.
func billPhysical(d *draft) {
	d.kind, d.name = "PHYSICAL", ""
	d.limits = []limit{{window: schema.BudgetPeriod}}
}

func billFrozen(d *draft) {
	billCard(one(d.dice, "MONTHLY", "QUARTERLY"))(d)
	d.status = one(d.dice, "FROZEN", "FROZEN", "NOT_ACTIVATED")
	d.until(3*day, 20*day)
	if d.status == "NOT_ACTIVATED" {
		d.to = d.from
	}
}

// billPlainID is a card of the older samples: it has an id and no uuid.
func billPlainID(d *draft) {
	billCard("MONTHLY")(d)
	d.plainID, d.id, d.alt = true, d.alt, ""
}

func billDeleted(d *draft) {
	billCard("MONTHLY")(d)
	d.budget, d.limits, d.status = nil, nil, "DELETED"
	d.until(12*day, 40*day)
}

// Bitnob

func bitnobCard(d *draft) {}

func bitnobStopped(d *draft) {
	d.status = one(d.dice, "frozen", "terminated")
	d.until(12*day, 30*day)
}
