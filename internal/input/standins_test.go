package input

import (
	"os"
	"strings"
	"testing"
)

// TestStandIns checks that the rows of testdata/read.txtar have each stand-in.
func TestStandIns(t *testing.T) {
	rows, err := os.ReadFile("testdata/read.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range standIns {
		want := "\tsecret_value: is " + row.is + "; " + row.advice
		if !row.isRejected {
			want = "\twarning: secret_value is " + row.is + "; it is stored as it is. If that is not meant, " + row.advice
		}
		if !strings.Contains(string(rows), want+"\n") {
			t.Errorf("no row has %q", want)
		}
	}
}
