package table

import "testing"

func TestPlainText(t *testing.T) {
	for name, c := range map[string][2]string{
		"KeepsWords":                 {"Café «Ø» 広告 مقهى", "Café «Ø» 広告 مقهى"},
		"KeepsTabsAndLines":          {"a\tb\r\nc", "a\tb\r\nc"},
		"DropsTheTerminalsControls":  {"a\x1b[2Jb\x7f", "a\uFFFD[2Jb\uFFFD"},
		"DropsWhatTurnsTheDirection": {"invoice\u202Efdp.exe\u2066", "invoice\uFFFDfdp.exe\uFFFD"},
		"DropsWhatIsNoUTF8":          {"a\xffb", "a\uFFFDb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := PlainText(c[0]); got != c[1] {
				t.Errorf("%q, want %q", got, c[1])
			}
		})
	}
}
