package input

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"set-org-secret/internal/secret"
)

// entry is one secret of a batch, or a rejection. Names and empty values are checked after parsing.
type entry struct {
	name, value string
	at          position
	rejection   *rejection // nil if the value could be read
	isExpanded  bool       // other readers would expand a variable in the value
}

func (e entry) isJSON() bool { return e.at.column > 0 } // other entries have no column, unless rejectAt made them

// rejection is the reason to reject an entry. Its text and advice never quote a part of the batch that may be a secret.
type rejection struct {
	text   string
	advice string // shown once, after all rejections with this advice
	// always is true if the reason may affect other entries: it then counts even if secret_name lacks this entry.
	always bool
}

// position is a line and a column in bytes, from 1. The column of a whole line is 0; both are 0 for the whole batch.
type position struct{ line, column int }

// after returns the position just after a text that begins at p.
func (p position) after(text string) position {
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		return position{p.line + strings.Count(text, "\n"), len(text) - i}
	}
	return position{p.line, p.column + len(text)}
}

// rejectAll returns a batch with one rejection, which has no position.
func rejectAll(text, advice string) []entry {
	return []entry{{rejection: &rejection{text, advice, true}}}
}

// rejectAt returns a batch with one rejection, at an offset in bytes.
func rejectAt(text string, offset int, why string) []entry {
	return []entry{{at: position{1, 1}.after(text[:offset]), rejection: &rejection{text: why, always: true}}}
}

// parseBatch reads several secrets: a JSON object of strings, GitHub's environment-file format, or a .env file.
func parseBatch(text string, isDotenv bool) []entry {
	trimmed := strings.TrimSpace(text)
	start := trimmed[:min(len(trimmed), 1)]
	standIn := findStandIn(trimmed, true)
	switch {
	case trimmed == "" || trimmed == "{}":
		return rejectAll(noSecrets, "")
	case standIn != nil:
		return rejectAll("is "+standIn.is+"; "+standIn.advice, map[bool]string{reject: wayOut}[standIn.isRejected])
	case !utf8.ValidString(text):
		invalid := strings.IndexByte(strings.ToValidUTF8(text, "\xFF"), '\xFF') // a byte that UTF-8 never has
		return rejectAt(text, invalid, "not UTF-8; pass binary values one at a time in secret_file, or as base64")
	case isDotenv && start == "{" && json.Valid([]byte(trimmed)):
		return rejectAll("a JSON object, not a .env file; remove secrets_format: dotenv", "")
	case isDotenv:
		return parseDotenv(text)
	case start == "{" && isTooDeep(trimmed):
		return rejectAll("nested deeper than 100, and only an object of strings can be stored", "")
	case start == "{":
		return parseJSON(text)
	case start == "[" || start == `"`:
		return rejectAll("must be a JSON object of strings", adviceToFlatten(trimmed))
	}
	return parseLines(text)
}

const noSecrets = "contains no secrets"

// isUTF16 reports whether text is UTF-16: it has a byte order mark, or half of its bytes are zero, as for ASCII text.
func isUTF16(text string) bool {
	if len(text) < 2 || len(text)%2 != 0 {
		return false
	}
	mark := text[0] == 0xFF && text[1] == 0xFE || text[0] == 0xFE && text[1] == 0xFF
	isHalfZero := strings.Count(text, "\x00") == len(text)/2
	return mark || (text[0] == 0) != (text[1] == 0) && utf8.ValidString(text) && isHalfZero
}

const writeUTF8 = "write it as UTF-8, in PowerShell with -Encoding utf8"

func (r *reader) isDotenv() bool { return strings.EqualFold(r.get("secrets_format"), "dotenv") }

// batch reads several secrets. If names is not empty, it ignores other entries, unless their rejection has always set.
func (r *reader) batch(input, text string, names []secret.Name) []value {
	switch {
	case len(text) > maxBatchBytes:
		r.problemf(input, "the file is larger than 64 MiB")
		return nil
	case isUTF16(text):
		r.problemf(input, "UTF-16; "+writeUTF8)
		return nil
	}
	text = strings.TrimPrefix(text, "\uFEFF") // a byte order mark
	entries := parseBatch(text, r.isDotenv())
	if isCredential(entries) && len(names) == 0 {
		entries = rejectAll("one credential, such as a Google service account key or a JSON Web Key, and not several "+
			"secrets; pass it in secret_file or secret_value, with its name in secret_name", "")
	}
	if input == "secrets" && folded().MatchString(strings.TrimSpace(text)) {
		r.warnf("secrets: one line with several NAME=, which is one value. Write secrets: | in the workflow, which " +
			"keeps the lines, and not >")
	}
	values, rejected, missing := r.selectEntries(input, entries, names)
	r.reportRejections(input, rejected)
	switch {
	case len(rejected) > 0:
		r.maskRejected(text)
		return values
	case len(values) == 0 && len(names) == 0:
		r.problemf(input, noSecrets)
	case len(missing) > 0 && !r.hasProblem(input):
		hint := ""
		if len(values) == 0 {
			hint = adviceToFlatten(text)
		}
		r.problemf("secret_name", "%s does not have %s%s", input, strings.Join(missing, ", "), hint)
	}
	for _, v := range values {
		r.mask(v)
	}
	return values
}

// selectEntries returns the values of the selected entries, the rejected entries, and the names without a value.
func (r *reader) selectEntries(
	input string, entries []entry, names []secret.Name,
) (values []value, rejected []entry, missing []string) {
	at := make(map[secret.Name]position, len(entries)) // zero for a listed name before its value is found
	for _, name := range names {
		at[name] = position{}
	}
	var expanded []position
	leftOut := 0
	for _, e := range entries {
		name, _ := secret.ParseName(e.name)
		first, isListed := at[name]
		always := e.rejection != nil && e.rejection.always || !e.isJSON() && strings.TrimSpace(e.name) == ""
		if len(names) > 0 && !isListed && !always {
			leftOut++
			continue
		}
		if e.rejection == nil {
			e.rejection = r.entryRejection(input, e, first)
		}
		if e.rejection != nil {
			rejected = append(rejected, e)
			continue
		}
		if e.isExpanded {
			expanded = append(expanded, e.at)
		}
		at[name] = e.at
		values = append(values, value{input, name, e.name, e.value, findStandIn(e.value, false)})
	}
	if len(expanded) > 0 {
		r.warnf("%s: %s: a $ before a letter or _ is stored as it is, as Doppler means it; gh, Docker Compose and a "+
			"shell would expand it: for those, write the expanded value", input, places(expanded))
	}
	if leftOut > 0 {
		r.result.Notes = append(r.result.Notes, fmt.Sprintf("%s: left out %s that secret_name does not list",
			input, secret.Count(leftOut, "entry")))
	}
	for _, name := range names {
		if at[name] == (position{}) {
			missing = append(missing, string(name))
		}
	}
	return values, rejected, missing
}

// folded matches a batch whose lines YAML has folded into one.
var folded = re(`^\w+=.* [A-Z_][A-Z0-9_]*=.*$`)

// entryRejection quotes no illegal name and no line NAME=: each may be a secret, or the end of a key in base64.
func (r *reader) entryRejection(input string, e entry, first position) *rejection {
	const legal = ": letters, digits and _; no leading digit; no GITHUB_ prefix; a long one in upper case"
	_, err := parseName(e.name)
	switch {
	case e.isJSON() && strings.EqualFold(e.name, "github_token"):
		return &rejection{text: secret.Quote(e.name) +
			" is in toJSON(secrets) and cannot be stored; list the secrets to store in secret_name"}
	case e.isJSON() && err != nil:
		r.maskRejected(e.name)
		return &rejection{text: "the name that ends here must be that of a secret", advice: legal}
	case err != nil:
		return &rejection{text: "must have a secret name before = or <<", advice: legal}
	case first != position{}:
		return &rejection{text: e.name + " is listed twice (names are case-insensitive), first at " +
			places([]position{first})}
	case e.value == "" && e.isJSON():
		return &rejection{text: e.name + " is empty", advice: adviceIfEmpty(input)}
	case e.value == "":
		return &rejection{text: "empty", advice: adviceIfEmpty(input)}
	}
	return nil
}

// reportRejections reports equal rejections once, with all places. Rejections with the same advice become one problem.
func (r *reader) reportRejections(input string, rejected []entry) {
	var advices []string
	texts := map[string][]string{} // by advice
	at := map[string][]position{}  // by text
	for _, e := range rejected {
		text, advice := e.rejection.text, e.rejection.advice
		if texts[advice] == nil {
			advices = append(advices, advice)
		}
		if at[text] == nil {
			texts[advice] = append(texts[advice], text)
		}
		at[text] = append(at[text], e.at)
	}
	for _, advice := range advices {
		list := texts[advice]
		for i, text := range list {
			if at[text][0].line > 0 {
				list[i] = places(at[text]) + ": " + text
			}
		}
		if advice != "" {
			list = []string{strings.Join(list, "; ") + advice}
		}
		for _, text := range list {
			r.problemf(input, "%s", text)
		}
	}
}

// places names up to five lines, "lines 1, 2, 3, 4, 5 and 9 more", or one place, "line 3, column 2 (and 9 more)".
func places(list []position) string {
	if first := list[0]; first.column > 0 {
		text := fmt.Sprintf("line %d, column %d", first.line, first.column)
		if len(list) > 1 {
			text += fmt.Sprintf(" (and %s more)", secret.FormatCount(len(list)-1))
		}
		return text
	}
	var numbers []string
	for _, p := range list {
		numbers = append(numbers, fmt.Sprint(p.line))
	}
	numbers = secret.FirstTexts(numbers, 5)
	last := len(numbers) - 1
	if last == 0 {
		return "line " + numbers[0]
	}
	return "lines " + strings.Join(numbers[:last], ", ") + " and " + numbers[last]
}
