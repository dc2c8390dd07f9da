package fakerunner

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// masker replaces registered values and their encoded forms. There is no minimum length: a mask of one letter masks
// that letter everywhere.
// Sdk/DTLogging/Logging/SecretMasker.cs.
type masker struct {
	originals map[string]bool
	forms     map[string]bool // originals and their encoded forms
}

// add registers a value. It returns false if the value is empty or registered already.
func (m *masker) add(value string) bool {
	if value == "" || m.originals[value] {
		return false
	}
	if m.originals == nil {
		m.originals, m.forms = map[string]bool{}, map[string]bool{}
	}
	m.originals[value], m.forms[value] = true, true
	for _, encode := range encoders {
		m.forms[encode(value)] = true
	}
	delete(m.forms, "")
	return true
}

// mask replaces every match with ***. Matches that overlap or touch become one ***.
func (m *masker) mask(s string) string {
	matched := make([]bool, len(s))
	for form := range m.forms {
		for at := 0; ; at++ {
			i := strings.Index(s[at:], form)
			if i < 0 {
				break
			}
			at += i
			for j := range len(form) {
				matched[at+j] = true
			}
		}
	}
	var b strings.Builder
	for i := range len(s) {
		switch {
		case !matched[i]:
			b.WriteByte(s[i])
		case i == 0 || !matched[i-1]:
			b.WriteString("***")
		}
	}
	return b.String()
}

// maskLines returns the lines that are masked in addition to the whole value: split at CR and LF, trimmed, without
// empty ones. There is no minimum length.
// Runner.Worker/ActionCommandManager.cs, AddMaskCommandExtension; Runner.Worker/Worker.cs.
func maskLines(value string) []string {
	var lines []string
	for _, line := range splitLines(value) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// encoders are those registered in Runner.Common/HostContext.cs and implemented in
// Sdk/DTLogging/Logging/ValueEncoders.cs. Hex and base64url are not among them.
var encoders = []func(string) string{
	func(v string) string { return base64Shift(v, 0) },
	func(v string) string { return base64Shift(v, 1) },
	func(v string) string { return base64Shift(v, 2) },
	strings.NewReplacer(`"`, `\"`).Replace, // docker's command line
	strings.NewReplacer(`'`, `''`).Replace, // expression strings
	jsonEscape,
	uriEscape,
	strings.NewReplacer("<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;", "&", "&amp;").Replace,
	trimDoubleQuotes,
	func(v string) string { head, _ := splitAmpersand(v); return atLeastSix(head) },
	func(v string) string { _, tail := splitAmpersand(v); return atLeastSix(tail) },
}

// base64Shift encodes the value without its first shift bytes, to match a secret inside a longer encoded text. The
// padding is included: if the length is not a multiple of three, the form matches only at the end of that text. A
// value not longer than shift is encoded as a whole.
func base64Shift(v string, shift int) string {
	if len(v) > shift {
		v = v[shift:]
	}
	return base64.StdEncoding.EncodeToString([]byte(v))
}

// jsonEscape is Newtonsoft's JsonConvert.ToString without the surrounding quotes: short escapes, and \uxxxx in
// lowercase for other control characters below U+0020 and for U+0085, U+2028, U+2029. It does not escape /, < or
// DEL.
func jsonEscape(v string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // a text cannot fail
	quoted := strings.TrimSuffix(b.String(), "\n")
	return strings.ReplaceAll(quoted[1:len(quoted)-1], "\u0085", `\u0085`)
}

// uriEscape is .NET's Uri.EscapeDataString: it escapes each byte, in uppercase, except for RFC 3986's unreserved
// characters.
func uriEscape(v string) string { return strings.ReplaceAll(url.QueryEscape(v), "+", "%20") }

// trimDoubleQuotes removes the quotes from a quoted value of at least nine characters. It returns "" for other
// values.
func trimDoubleQuotes(v string) string {
	if utf16Len(v) > 8 && strings.HasPrefix(v, `"`) && strings.HasSuffix(v, `"`) {
		return v[1 : len(v)-1]
	}
	return ""
}

// splitAmpersand splits a value where PowerShell does when it prints it in parts: after the first "&+", without the
// next character, which PowerShell colors; or else after the last "&". A colored character outside the BMP counts
// as one here.
func splitAmpersand(v string) (head, tail string) {
	if i := strings.Index(v, "&+"); i >= 0 {
		head, tail = v[:i+2], v[i+2:]
		if rest := []rune(tail); len(rest) > 0 {
			tail = string(rest[1:])
		}
		return head, tail
	}
	if i := strings.LastIndex(v, "&"); i >= 0 {
		return v[:i+1], v[i+1:]
	}
	return "", ""
}

// atLeastSix returns v, or "" if it has fewer than six characters.
func atLeastSix(v string) string {
	if utf16Len(v) >= 6 {
		return v
	}
	return ""
}
