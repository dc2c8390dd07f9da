//go:build summary

package action

import (
	"flag"
	"testing"
)

var out = flag.String("out", "", "the directory into which TestSummaries writes the job summaries")

// TestSummaries writes the job summary of a run of each kind, for .ci/summary to render:
// those that the scripts in testdata/summaries, which are as those of [TestScenarios],
// copy to the directory OUT.
func TestSummaries(t *testing.T) {
	if *out == "" {
		t.Fatal("-out names no directory")
	}
	runScripts(scriptT{T: t}, "testdata/summaries/*.txtar", scriptState{printed: &transcript{}}, "OUT="+*out)
}
