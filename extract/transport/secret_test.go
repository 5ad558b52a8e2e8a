package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"
	"testing"
)

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

func TestSecret(t *testing.T) {
	const value = "sk_live_very_secret"
	s := NewSecret(value)
	holder := struct {
		Key   Secret
		Ptr   *Secret
		Inner map[string]Secret
	}{s, &s, map[string]Secret{"a": s}}
	var shown []string
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
		shown = append(shown, fmt.Sprintf(format, s), fmt.Sprintf(format, &s), fmt.Sprintf(format, holder))
	}
	text, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "key", s, "holder", holder)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "key", s, "holder", holder)
	shown = append(shown, string(text), string(plain), logged.String(), s.String(), s.GoString(), fmt.Sprint(s), fmt.Errorf("x %v", s).Error())
	for _, text := range shown {
		if strings.Contains(text, value) || strings.Contains(text, fmt.Sprintf("%x", value)) {
			t.Errorf("%s shows it", text)
		}
	}
	if s.Reveal() != value || s.Empty() || !(Secret{}).Empty() {
		t.Error("the value is lost")
	}
}
