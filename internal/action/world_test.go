package action

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"set-org-secret/internal/fakegithub"
)

// namedWorld reads a world from testdata/worlds.
func namedWorld(name string) (fakegithub.World, error) {
	text, err := os.ReadFile("testdata/worlds/" + name + ".json")
	if err != nil {
		return fakegithub.World{}, err
	}
	return fakegithub.ParseWorld(text)
}

// worldWith returns a named world, changed by the arguments of patch commands.
func worldWith(t testing.TB, name string, patches ...string) fakegithub.World {
	t.Helper()
	world, err := namedWorld(name)
	for _, args := range patches {
		if err == nil {
			err = patch(&world, strings.Fields(args))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// chooseWorld is the command world; see [TestScenarios].
func chooseWorld(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: world NAME, or world FILE.json")
	}
	state := ts.Value(stateKey).(*scriptState)
	var err error
	if strings.HasSuffix(args[0], ".json") {
		state.world, err = fakegithub.ParseWorld([]byte(ts.ReadFile(args[0])))
	} else {
		state.world, err = namedWorld(args[0])
	}
	ts.Check(err)
}

// patchWorld is the command patch; see [TestScenarios].
func patchWorld(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(patch(&ts.Value(stateKey).(*scriptState).world, args))
}

// patch changes an entry of a world, or adds it.
func patch(w *fakegithub.World, args []string) error {
	kind, name, fields := args[0], "", args[1:]
	if slices.Contains([]string{"token", "secret"}, kind) && len(fields) > 0 {
		name, fields = fields[0], fields[1:]
	}
	text, err := fieldsJSON(fields)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	org := &w.Orgs[0]
	switch kind {
	case "server":
		return dec.Decode(w)
	case "org":
		return dec.Decode(org)
	case "fault":
		w.Faults = append(w.Faults, fakegithub.Fault{})
		return dec.Decode(&w.Faults[len(w.Faults)-1])
	case "token":
		return dec.Decode(entry(&w.Tokens, fakegithub.Token{Value: name},
			func(token fakegithub.Token) bool { return token.Value == name }))
	case "secret":
		store, name, ok := strings.Cut(name, "/")
		if !ok {
			return fmt.Errorf("patch secret %s: want STORE/NAME", store)
		}
		return dec.Decode(entry(&org.Secrets, fakegithub.Secret{Store: store, Name: name, Value: "old"},
			func(s fakegithub.Secret) bool { return s.Store == store && s.Name == name }))
	default:
		return fmt.Errorf("patch %s: want server, org, fault, token or secret", kind)
	}
}

// entry returns the entry of a list that matches, which it adds if there is none.
func entry[T any](list *[]T, added T, matches func(T) bool) *T {
	i := slices.IndexFunc(*list, matches)
	if i < 0 {
		i = len(*list)
		*list = append(*list, added)
	}
	return &(*list)[i]
}

var (
	lists    = []string{"repositories", "scopes"}
	literals = regexp.MustCompile(`^(true|false|-?[0-9]+)$`)
	ranges   = regexp.MustCompile(`^(.*?)([0-9]+)\.\.([0-9]+)$`)
)

// fieldsJSON returns arguments of the form FIELD=VALUE or OUTER.FIELD=VALUE as a JSON
// object.
func fieldsJSON(args []string) ([]byte, error) {
	object := map[string]any{}
	for _, arg := range args {
		path, text, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("%s: want FIELD=VALUE", arg)
		}
		outer, field, nested := strings.Cut(path, ".")
		if !nested {
			field = outer
		}
		var value any = text
		switch {
		case slices.Contains(lists, field):
			value = listOf(text)
		case !nested && literals.MatchString(text):
			value = json.RawMessage(text)
		}
		if !nested {
			object[field] = value
			continue
		}
		if object[outer] == nil {
			object[outer] = map[string]any{}
		}
		object[outer].(map[string]any)[field] = value
	}
	return json.Marshal(object)
}

// listOf returns the items of a list; repo-01..12 are twelve.
func listOf(text string) []string {
	items := []string{}
	for item := range strings.SplitSeq(text, ",") {
		m := ranges.FindStringSubmatch(item)
		if m == nil {
			if item != "" {
				items = append(items, item)
			}
			continue
		}
		from, _ := strconv.Atoi(m[2])
		to, _ := strconv.Atoi(m[3])
		for i := from; i <= to; i++ {
			items = append(items, fmt.Sprintf("%s%0*d", m[1], len(m[2]), i))
		}
	}
	return items
}

// TestPatch has the lines that are rejected, so that no slip in a script is ignored.
func TestPatch(t *testing.T) {
	for line, want := range map[string]string{
		"secret TOKEN visibility=all":         "patch secret TOKEN: want STORE/NAME",
		"secret actions/TOKEN visiblity=all":  `json: unknown field "visiblity"`,
		"secret actions/TOKEN visibility all": "visibility: want FIELD=VALUE",
		"fault status":                        "status: want FIELD=VALUE",
		"repository web":                      "web: want FIELD=VALUE",
		"repository":                          "patch repository: want server, org, fault, token or secret",
	} {
		world := worldWith(t, "team")
		if err := patch(&world, strings.Fields(line)); err == nil || err.Error() != want {
			t.Errorf("patch %s: got error %v, want %q", line, err, want)
		}
	}
}
