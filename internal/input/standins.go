package input

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// standIn is a text that a tool writes in place of a value, or a value that was damaged on its way.
type standIn struct {
	literal    string                // every match contains it; the pattern is compiled only for values with it
	pattern    func() *regexp.Regexp // for a value without the spaces around it; nil if literal is the whole value
	is         string                // after "the value is"
	advice     string
	isRejected bool
}

const (
	reject = true
	warn   = false
)

// re returns a pattern that is compiled at its first use.
func re(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// standIns are in order of precedence: the first match counts. A rejected stand-in matches only a whole value.
var standIns = []standIn{
	{"", nil, "only white space", "check the command that writes it", reject},
	{"null", nil, "null, as jq and toJSON write a missing value", "check the names that it looks up", reject},
	{"None", nil, "None, as Python writes a missing value", "check the names that it looks up", reject},
	{"undefined", nil, javaScript, javaScriptAdvice, reject},
	{"[object Object]", nil, javaScript, javaScriptAdvice, reject},
	{"Object", nil, converted, convertedAdvice, reject},
	{"Array", nil, converted, convertedAdvice, reject},
	{"***", nil, `"***", which the runner shows for a masked text`, "pass the value itself", reject},
	{"${{", re(`^\$\{\{(?:[^$]|\$[^{]|\$\{[^{])*\}\}$`), expression, expressionAdvice, reject},

	{"op://", re(`^op://[^\r\n]*$`), "a reference to 1Password", "pass the output of op read", warn},
	{"op://", re(`\{\{\s*op://`), "a template for 1Password", "pass the output of op inject", warn},
	{"ENC[", re(`^ENC\[[^\r\n]*\]$`), "encrypted by SOPS", "pass the output of sops decrypt", warn},
	{
		"vault:", re(`^vault:[^\r\n]*$`), "a reference to Vault, or encrypted by it",
		"pass the output of the vault command", warn,
	},
	{"ref+", re(`^(?:secret)?ref\+[a-z0-9]+:[^\r\n]*$`), "a reference for vals", "pass the output of vals get", warn},
	{"encrypted:", re(`^encrypted:\S+$`), "encrypted by dotenvx", "pass the output of dotenvx get", warn},
	{"{{resolve:", re(`\{\{resolve:`), "a reference for CloudFormation", "pass the output of the aws command", warn},
	{
		"@Microsoft.KeyVault(", re(`^@Microsoft\.KeyVault\(`), "a reference to Azure Key Vault",
		"read it with az keyvault secret show", warn,
	},
	{"git-lfs", re(`^version https://git-lfs`), "a pointer of Git LFS", "set lfs: true for actions/checkout", warn},
	{"GITCRYPT", re(`^\x00GITCRYPT`), "encrypted by git-crypt", "run git-crypt unlock in an earlier step", warn},
	{"$ANSIBLE", re(`^\$ANSIBLE_VAULT;`), "encrypted by ansible-vault", "pass the output of ansible-vault view", warn},
	{"AGE", re(`^-----BEGIN AGE ENCRYPTED FILE-----`), "encrypted by age", "pass the output of age --decrypt", warn},
	{
		"-----BEGIN ", re(`^["']?-----BEGIN [^\r\n]*-----END `),
		`a PEM block on one line, or with \n in place of newlines`,
		"pass the file itself in secret_file, since most programs cannot read it so", warn,
	},
	{"${{", re(`\$\{\{`), "text with ${{ in it", "write it in the workflow", warn},
	{
		"***", re(`\*\*\*`), "text with *** in it, which the runner shows for a masked text",
		"do not copy it from a log", warn,
	},
	{"\uFEFF", re(`^\x{FEFF}`), "text after a byte order mark (U+FEFF)", "write the file as UTF-8 without one", warn},
	{
		"", re(`^[\x{200B}\x{A0}“”‘’]|[\x{200B}\x{FEFF}\x{A0}“”‘’]$`),
		"text with U+200B, U+FEFF, U+00A0 or a curly quote at an end",
		"remove it, since web pages, chats and word processors add it", warn,
	},
	{
		"\uFFFD", re(`\x{FFFD}`), "text with U+FFFD, which decoders write in place of bytes that are not text",
		"store base64 of the bytes", warn,
	},
}

const (
	javaScript       = "text that JavaScript writes for a missing value or an object"
	javaScriptAdvice = "write one member of the object, or JSON.stringify(…)"
	converted        = "text that GitHub writes for an object or a list in an expression"
	convertedAdvice  = "write one member of it, or ${{ toJSON(…) }}"
	expression       = "an unevaluated expression"
	expressionAdvice = "write it in the workflow, because GitHub evaluates ${{ }} only in workflow files"
	wayOut           = "; for the outputs of a step write ${{ toJSON(steps.ID.outputs) }} with the id of that step"
)

// endBytes is the number of bytes at each end of a long value that are searched with an anchored pattern.
const endBytes = 1 << 10

// findStandIn returns the first of standIns that is in a value, or nil. With atStart, it must be at the start of the
// value: a batch may contain one, but does not begin with one.
func findStandIn(text string, atStart bool) *standIn {
	isSpace := func(r rune) bool { return unicode.IsSpace(r) || r == '\u200B' || r == '\uFEFF' }
	bare, trimmed := strings.TrimFunc(text, isSpace), strings.Trim(text, " \t\r\n")
	ends := trimmed
	if len(ends) > 2*endBytes {
		ends = trimmed[:endBytes] + trimmed[len(trimmed)-endBytes:]
	}
	for i, s := range standIns {
		switch {
		case s.pattern == nil && bare == s.literal:
			return &standIns[i]
		case s.pattern == nil, !strings.Contains(trimmed, s.literal):
			continue
		}
		pattern, searched := s.pattern(), trimmed
		if strings.HasPrefix(pattern.String(), "^") {
			searched = ends // all of a long value would take too long
		}
		if at := pattern.FindStringIndex(searched); at != nil && (at[0] == 0 || !atStart) {
			return &standIns[i]
		}
	}
	return nil
}

// isNothing reports whether a value is lost. A mask for its stand-in, such as null, would hide much of a log.
func (s *standIn) isNothing() bool { return s != nil && s.isRejected }
