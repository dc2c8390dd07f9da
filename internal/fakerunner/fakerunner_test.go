package fakerunner

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"
)

func equal[T comparable](t *testing.T, name string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %#v, want %#v", name, got, want)
	}
}

func equalLines(t *testing.T, name string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", name, got, want)
	}
}

// Runner.Sdk/ProcessInvoker.cs reads with StreamReader.ReadLine.
func TestLinesEndAtLFCRLFAndBareCR(t *testing.T) {
	for in, want := range map[string][]string{
		"":               nil,
		"a\nb\r\nc\rd":   {"a", "b", "c", "d"},
		"a\n":            {"a"},
		"a\n\n\r\rb\n\n": {"a", "", "", "", "b", ""},
		"\ufeffa\xffb":   {"a\ufffdb"},
	} {
		equalLines(t, in, New().Process(in).Lines, want...)
	}
	// A command is found after a bare CR too.
	equalLines(t, "bare CR", New().Process("text\r::add-mask::hush\nhush").Lines, "text", "***")
}

// Runner.Common/ActionCommand.cs, TryParseV2 and TryParse.
func TestCommands(t *testing.T) {
	for in, want := range map[string]Annotation{
		"::error::boom":                               {Error, "", "boom"},
		"\t \u00a0::Warning::w":                       {Warning, "", "w"},
		"::notice title=T::n":                         {Notice, "T", "n"},
		"::error TITLE=a%2Cb%3Ac%25%0A,x=1::d":        {Error, "a,b:c%\n", "d"},
		"::error title==a,title=::d":                  {Error, "a", "d"},
		"::error  title=spaces ::d":                   {Error, "spaces", "d"},
		"::error title=a::b::c":                       {Error, "a", "b::c"},
		"::error::%0Atwo%0D%250A%3A%2C":               {Error, "", "\ntwo\r%0A%3A%2C"},
		"before ##[error]boom":                        {Error, "", "boom"},
		"##[warning title=a,b;x=y]w%5D%3B ]":          {Warning, "a,b", "w]; ]"},
		"::nonsense::##[error]boom":                   {Error, "", "boom"},
		"##[notice file=f;title= T]":                  {Notice, " T", ""},
		"::error:\u200d:boom":                         {Error, "", ":boom"},
		"::error::" + strings.Repeat("x", 5000):       {Error, "", strings.Repeat("x", annotationLength)},
		"::error::" + strings.Repeat("\U0001F511", 9): {Error, "", strings.Repeat("\U0001F511", 9)},
	} {
		if got := New().Process(in).Annotations; !slices.Equal(got, []Annotation{want}) {
			t.Errorf("annotations of %q:\n got %q\nwant %q", in, got, []Annotation{want})
		}
	}
}

func TestLinesWithoutCommand(t *testing.T) {
	for _, in := range []string{
		"a ::error::boom", ": :error::boom", "::error:boom", "::error boom", "::nonsense::boom", "::::",
		"##[error boom", "# #[error]boom", "##[ error]boom", "##[nonsense]a ##[error]boom",
		"#\u200d#[error]boom", // the runner finds the command, but reads its name from one character too early
		"::internal-set-repo-path repoFullName=a/b,workspaceRepo=true::/",
		"::error :", "", "  indented",
	} {
		log := New().Process(in + "\n")
		equalLines(t, in, log.Lines, in)
		equal(t, "commands of "+in, len(log.Commands), 0)
	}
	// Runner.Worker/Handlers/OutputManager.cs.
	equalLines(t, "markers", New().Process("a ##[start-action id=1]").Lines, `a ##[\start-action id=1]`)
}

// Runner.Common/ActionCommand.cs decodes %25 last.
func TestUnescape(t *testing.T) {
	log := New().Process("::add-mask::100%2525%250A")
	equalLines(t, "masks", log.Masks, "100%25%0A")
}

// Runner.Worker/ActionCommandManager.cs, AddMaskCommandExtension.
func TestAddMask(t *testing.T) {
	r := New()
	log := r.Process("hush\n::add-mask::hush\nhush now\n  ::ADD-MASK::  one %0D%0A}%0A%0A two\n" +
		"one two { }\n::add-mask::hush\n::add-mask:: \n")
	equalLines(t, "lines", log.Lines, "hush", "*** now", "*** *** { ***",
		"Warning: add-mask has no value to mask")
	equalLines(t, "masks", log.Masks, "hush", "  one \r\n}\n\n two", "one", "}", "two")
	equalLines(t, "commands", log.Commands, "add-mask", "add-mask", "add-mask", "add-mask")
	// The masks apply to the next step.
	equalLines(t, "next step", r.Process("HUSH hush").Lines, "HUSH ***")
}

// Runner.Worker/ExecutionContext.cs, AddIssue masks only the message.
func TestTitlesAreNotMasked(t *testing.T) {
	log := New().Process("::add-mask::hush\n::error title=hush::hush")
	if want := []Annotation{{Error, "hush", "***"}}; !slices.Equal(log.Annotations, want) {
		t.Errorf("annotations: got %q, want %q", log.Annotations, want)
	}
	equalLines(t, "lines", log.Lines, "Error: ***")
}

// Runner.Worker/ExecutionContext.cs, _maxCountPerIssueType.
func TestAnnotationLimit(t *testing.T) {
	log := New().Process(strings.Repeat("::error::e\n", 12) + "::warning::w\n")
	equal(t, "annotations", len(log.Annotations), 11)
	equal(t, "lines", len(log.Lines), 13)
}

func TestMultilineMessages(t *testing.T) {
	equalLines(t, "error", New().Process("::error::a%0Ab%0D%0Ac").Lines, "Error: a", "b", "c")
	equalLines(t, "group", New().Process("::group::G\nin\n::endgroup::ignored\nout").Lines, "▸ G", "in", "out")
}

// Runner.Worker/ActionCommandManager.cs, TryProcessCommand.
func TestStopCommands(t *testing.T) {
	r := New()
	log := r.Process("::stop-commands::Pa%75se-token\n::error::a\n##[warning]b\n" +
		"::PA%75SE-TOKEN::\n::error::c\n::pa%75se-token::\n")
	equalLines(t, "lines", log.Lines, "::stop-commands::***", "::error::a", "Warning: b",
		"::PA%75SE-TOKEN::", "Error: c", "::pa%75se-token::")
	equalLines(t, "commands", log.Commands, "stop-commands", "error")
	equalLines(t, "mask", log.Masks, "Pa%75se-token")
	// A short token is not masked. Commands work again in the next step.
	equalLines(t, "short", r.Process("::stop-commands::sixsix\n::error::a").Lines, "::stop-commands::sixsix", "::error::a")
	equalLines(t, "next", r.Process("::error::a").Lines, "Error: a")
	for _, token := range []string{"", "Pause-Logging", "ERROR", "stop-commands"} {
		log := r.Process("::stop-commands::" + token + "\n::error::unread\nunread\n")
		equal(t, "failed with token "+token, log.Failed, true)
		equal(t, "number of lines with token "+token, len(log.Lines), 1)
		equal(t, "number of commands with token "+token, len(log.Commands), 1)
	}
}

// Runner.Worker/ActionCommandManager.cs.
func TestCommandsWithoutEffect(t *testing.T) {
	for in, failed := range map[string]bool{
		"::set-env name=A::b": true, "::add-path::/p": true, "##[set-output name=a]v": false, "::debug::v": false,
		"::echo::on": false, "::save-state name=a::v": false, "::add-matcher::m.json": false,
	} {
		log := New().Process(in)
		equal(t, "failed with "+in, log.Failed, failed)
		equal(t, "number of commands in "+in, len(log.Commands), 1)
	}
}

// Runner.Common/HostContext.cs registers the encoders of Sdk/DTLogging/Logging/ValueEncoders.cs.
func TestEncoders(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	for _, test := range []struct {
		value         string
		hidden, shown []string
	}{
		{"p&ss'w\"<or>d", []string{
			"p&ss'w\"<or>d", b64([]byte("p&ss'w\"<or>d")), b64([]byte("&ss'w\"<or>d")), b64([]byte("ss'w\"<or>d")),
			`p&ss'w\"<or>d`, `p&ss''w"<or>d`, "p%26ss%27w%22%3Cor%3Ed", "p&amp;ss&apos;w&quot;&lt;or&gt;d", `ss'w"<or>d`,
		}, []string{"70267373277722", "p%26ss%27w%22%3cor%3ed", b64([]byte("s'w\"<or>d")), "P&SS'W\"<OR>D"}},
		{"a\tb\x01\u2028/é", []string{`a\tb\u0001\u2028/é`, "a%09b%01%E2%80%A8%2F%C3%A9"}, []string{`a\tb\u0001\u2028\/é`}},
		{`"quoted8"`, []string{"quoted8"}, nil},
		{`"quote8"`, nil, []string{"quote8"}},
		{"first&second&third3", []string{"first&second&", "third3"}, []string{"first&second", "hird3"}},
		{"first&+second&third", []string{"first&+", "econd&third"}, []string{"first&", "third"}},
		{"abcd&efghi", nil, []string{"abcd&", "efghi"}},
		{"}", []string{"}"}, nil}, // there is no minimum length
	} {
		r := New()
		r.Secret(test.value)
		for _, s := range test.hidden {
			equal(t, "mask of "+test.value+" in "+s, r.masks.mask("<"+s+">"), "<***>")
		}
		for _, s := range test.shown {
			equal(t, "match of "+test.value+" in "+s, r.MatchesAny(s), false)
		}
	}
	// A secret inside a longer base64 text, at each offset modulo 3.
	r := New()
	r.Secret("secretsecret")
	for _, before := range []string{"", "u", "us", "use"} {
		middle, end := before+"secretsecretsec", before+"secretsecret"
		equal(t, "match in the base64 of "+middle, r.MatchesAny(b64([]byte(middle))), before == "" || before == "use")
		equal(t, "match in the base64 of "+end, r.MatchesAny(b64([]byte(end))), true)
	}
}

// Sdk/DTLogging/Logging/SecretMasker.cs merges matches that overlap or touch.
func TestAdjacentMatches(t *testing.T) {
	r := New()
	for _, v := range []string{"abc", "cde", "fgh", "aa"} {
		r.Secret(v)
	}
	for in, want := range map[string]string{
		"xabcdex": "x***x", "abcfgh": "***", "abc fgh": "*** ***", "aaaaa": "***", "abcde abc": "*** ***", "": "", "none": "none",
	} {
		equal(t, in, r.masks.mask(in), want)
	}
}

// Runner.Worker/Worker.cs, InitializeSecretMasker.
func TestSecret(t *testing.T) {
	r := New()
	r.Secret(" \n top \r\n }\n end\n")
	r.Secret("  ")
	equal(t, "lines", r.masks.mask("top } end {"), "*** *** *** {")
	equal(t, "whole", r.masks.mask("<top \r\n }\n end>"), "<***>")
}

// Runner.Worker/JobExtension.cs.
func TestJobOutputs(t *testing.T) {
	r := New()
	r.Process("::add-mask::hush\n::add-mask::}")
	passed, skipped := r.JobOutputs(map[string]string{"a": "fine", "b": "a hush b", "c": "", "d": `{"x":1}`, "e": "***"})
	if want := map[string]string{"a": "fine", "e": "***"}; !maps.Equal(passed, want) {
		t.Errorf("passed: got %q, want %q", passed, want)
	}
	equalLines(t, "skipped", skipped, "b", "d")
	equal(t, "size", SizeOutputs(map[string]string{"ab": "é", "c": "\U0001F511"}), 12)
}

// Runner.Worker/FileCommandManager.cs, CreateStepSummaryCommand.
func TestSummary(t *testing.T) {
	r := New()
	r.Secret("one\ntwo")
	got, err := r.Summary("a one\r\ntwo\rend")
	equal(t, "masked", got, "a ***\n***\nend\n")
	equal(t, "error", err, nil)
	if _, err = r.Summary(strings.Repeat("x", summarySize)); err != nil {
		t.Errorf("largest summary: got error %v, want none", err)
	}
	if _, err = r.Summary(strings.Repeat("x", summarySize+1)); err == nil {
		t.Error("too large a summary: got no error, want one")
	}
	got, _ = r.Summary("")
	equal(t, "empty", got, "")
}

// Runner.Worker/ActionRunner.cs merges inputs, Runner.Worker/Handlers/Handler.cs names them.
func TestInputs(t *testing.T) {
	got := Inputs(
		map[string]string{"Org": "acme", "mode": "", "extra one": " x "},
		map[string]string{"org": "default", "mode": "set", "stores": "actions", "token": ""})
	equalLines(t, "inputs", got,
		"INPUT_EXTRA_ONE= x ", "INPUT_MODE=", "INPUT_ORG=acme", "INPUT_STORES=actions", "INPUT_TOKEN=")
}
