package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
)

// Control adds the endpoint of the faults to a control endpoint:
//
//	POST   /control/faults {"provider": "slash", "path": "/transaction", "fault": "429-seconds=5", "requests": 2}
//	GET    /control/faults
//	DELETE /control/faults
//
// POST arms a fault for the next requests that match; provider may be "*", path (what the path below the base path begins
// with) and requests (1) may be left out. All three answer with the rules in force and how often each struck. DELETE
// removes them, those of the plan included.
func (f *Faults) Control(mux *http.ServeMux) {
	mux.HandleFunc("GET /control/faults", func(rw http.ResponseWriter, _ *http.Request) { f.report().write(rw) })
	mux.HandleFunc("DELETE /control/faults", func(rw http.ResponseWriter, _ *http.Request) {
		f.Disarm()
		f.report().write(rw)
	})
	mux.HandleFunc("POST /control/faults", func(rw http.ResponseWriter, r *http.Request) {
		r, fault := bodied(r)
		if fault == nil {
			fault = f.controlArm(r)
		}
		if fault != nil {
			wrong(fault).write(rw)
			return
		}
		f.report().write(rw)
	})
}

func (f *Faults) controlArm(r *http.Request) *problem {
	asked := struct {
		Provider, Path, Fault string
		Requests              int64
	}{Requests: 1}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil || decoder.More() {
		return bad("want one object with provider, path, fault, requests")
	}
	p, _, err := parseWhere(0, asked.Provider)
	if err != nil || strings.Contains(asked.Provider, ".") {
		return bad("provider must be * or one of the four")
	}
	kind, number, err := parseFault(0, asked.Fault)
	if err != nil {
		return bad(err.Error())
	}
	if asked.Requests < 1 {
		return bad("requests must be at least 1")
	}
	f.Arm(FaultRule{Provider: p, Path: asked.Path, Kind: kind, Number: number, First: 1, Last: asked.Requests})
	return nil
}

func (f *Faults) report() response {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	list := []object{}
	for _, r := range f.rules {
		list = append(list, object{"rule": r.FaultRule.String(), "path": r.Path, "matched": maps.Clone(r.matched), "struck": r.struck})
	}
	return render(http.StatusOK, object{"faults": list})
}
