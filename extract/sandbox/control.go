package sandbox

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
)

// control adds the control endpoint, which no provider has: the sandbox's own clock, key, books and faults. It takes no
// credential. Bodies and answers are JSON, lists are CSV, errors are {"error": text}.
func (w *World) control(mux *http.ServeMux) {
	for pattern, answer := range map[string]func(*http.Request) response{
		"GET /control/now":        w.controlNow,
		"POST /control/advance":   w.controlAdvance,
		"POST /control/authorize": w.controlAuthorize,
		"POST /control/plant":     w.controlPlant,
		"POST /control/read":      w.controlRead,
		"GET /control/answers":    func(*http.Request) response { return spreadsheet(w.WriteAnswers) },
		"GET /control/fundings":   func(*http.Request) response { return spreadsheet(w.WriteFundings) },
		"GET /control/requests":   w.controlRequests,
	} {
		mux.HandleFunc(pattern, func(rw http.ResponseWriter, r *http.Request) {
			r, fault := bodied(r)
			if fault != nil {
				wrong(fault).write(rw)
				return
			}
			answer(r).write(rw)
		})
	}
}

// wrong is an error of the control endpoint.
func wrong(fault *problem) response { return render(fault.status, object{"error": fault.message}) }

func spreadsheet(write func(io.Writer) error) response {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return wrong(&problem{status: http.StatusInternalServerError, message: err.Error()})
	}
	return response{http.StatusOK, http.Header{"Content-Type": {"text/csv; charset=utf-8"}}, text.Bytes()}
}

func (w *World) controlNow(*http.Request) response {
	return render(http.StatusOK, object{"now": instantOf(w.Now()).text()})
}

// controlAdvance moves the clock: {"by": "24h"} or {"to": "2026-10-16T09:00:00Z"}.
func (w *World) controlAdvance(r *http.Request) response {
	f := readForm(r)
	by, to := f.text("by"), f.text("to")
	if f.fault == nil && (by == "") == (to == "") {
		f.wrong("say either by or to")
	}
	if f.fault != nil {
		return wrong(f.fault)
	}
	if err := w.move(by, to); err != nil {
		return wrong(bad(err.Error()))
	}
	return w.controlNow(r)
}

// move moves the clock by a duration, or to an instant where that is empty.
func (w *World) move(by, to string) error {
	if by != "" {
		d, err := time.ParseDuration(by)
		if err != nil {
			return err
		}
		return w.Advance(d)
	}
	moment, err := time.Parse(time.RFC3339, to)
	if err != nil {
		return err
	}
	return w.AdvanceTo(moment)
}

// controlPlant plants an anomaly: {"anomaly": "no-funding-record"}. The answer is what it adds to the key.
func (w *World) controlPlant(r *http.Request) response {
	f := readForm(r)
	f.need("anomaly")
	name := f.text("anomaly")
	if f.fault != nil {
		return wrong(f.fault)
	}
	added, err := w.Plant(name)
	if err != nil {
		return wrong(bad(err.Error()))
	}
	return spreadsheet(func(out io.Writer) error { return writeAnswers(out, added) })
}

// controlRead says that somebody read everything now, or all of one provider: {"provider": "slash"}. See MarkRead.
func (w *World) controlRead(r *http.Request) response {
	f := readForm(r)
	var providers []schema.Provider
	for _, p := range schema.Providers() {
		if string(p) == f.text("provider") {
			providers = append(providers, p)
		}
	}
	if f.has("provider") && len(providers) == 0 {
		f.mistaken("provider", "is unknown")
	}
	if f.fault != nil {
		return wrong(f.fault)
	}
	w.MarkRead(providers...)
	return w.controlNow(r)
}

// controlAuthorize is what a merchant does and no issuer's API can: {"provider": "slash", "card": ID, "amount": "12.50"}, in
// dollars; with "merchant", at one of that name.
func (w *World) controlAuthorize(r *http.Request) response {
	f := readForm(r)
	f.need("provider", "card", "amount")
	p, cents := schema.Provider(f.text("provider")), f.dollars("amount")
	if f.fault != nil {
		return wrong(f.fault)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	b := w.books[p]
	if b == nil || b.cardByID[f.text("card")] == nil {
		return wrong(&problem{status: http.StatusNotFound, message: "there is no such card"})
	}
	x, why := w.authorize(b.cardByID[f.text("card")], cents, w.merchant(f.text("merchant")))
	return render(http.StatusOK, object{"transaction": x.id, "approved": why == "", "reason": text(why)})
}

// merchant is one of a name; nil where there is none.
func (w *World) merchant(name string) *merchant {
	for i := range w.merchants {
		if w.merchants[i].name == name {
			return &w.merchants[i]
		}
	}
	return nil
}

// controlRequests counts what was asked so far, by provider, path and method.
func (w *World) controlRequests(*http.Request) response {
	counts := w.Requests()
	list := []object{}
	for _, k := range slices.SortedFunc(maps.Keys(counts), func(x, y Request) int {
		return cmp.Or(strings.Compare(string(x.Provider), string(y.Provider)), strings.Compare(x.Path, y.Path), strings.Compare(x.Method, y.Method))
	}) {
		list = append(list, object{"provider": k.Provider, "method": k.Method, "path": k.Path, "count": counts[k]})
	}
	return render(http.StatusOK, list)
}
