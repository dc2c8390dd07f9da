package action

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"set-org-secret/internal/fakegithub"
)

// TestPlainHTTP checks that the token is sent without TLS to loopback alone: not to a
// private network, nor to a name that looks like loopback.
func TestPlainHTTP(t *testing.T) {
	for _, host := range []string{
		"ghe.local", "ghe.localhost", "localhost.test", "ghe.internal", "host.docker.internal", "10.0.0.1", "172.17.0.1",
		"192.168.0.1", "169.254.0.1", "0.0.0.0", "[::]", "[fd00::1]", "[fe80::1]", "127.1", "2130706433", "127.0.0.1.test",
	} {
		for _, address := range []string{"http://" + host, "http://" + host + ":8080/api/v3", "HTTP://" + host} {
			r := stepRun{with: map[string]string{
				"api_url": address, "secret_name": "A", "secret_value": "Correct-Horse", "timeout": "1s",
			}}.simulate(t, newGitHub(t, fakegithub.World{}))
			r.wantCode(t, 1)
			wantContains(t, address, r.stdout, "api_url: must be https, because the token is sent there")
			wantEqual(t, address+": connections", r.dials, 0)
		}
	}
}

// TestNewKeyUnderSameID checks that a value is sealed again to a key that GitHub returns
// under the id of an older one: another proxy or copy may have returned that one.
func TestNewKeyUnderSameID(t *testing.T) {
	server, other := newGitHub(t, fakegithub.World{}), newGitHub(t, fakegithub.World{})
	id, _ := server.Key("acme", "actions")
	_, key := other.Key("acme", "actions")
	var fetched atomic.Bool
	r := stepRun{with: map[string]string{"secrets": "A=Correct-Horse\nB=Battery-Staple"}}.simulate(t, http.HandlerFunc(
		func(rw http.ResponseWriter, req *http.Request) {
			if strings.HasSuffix(req.URL.Path, "/public-key") && !fetched.Swap(true) {
				fmt.Fprintf(rw, `{"key_id": %q, "key": %q}`, id, key)
				return
			}
			server.ServeHTTP(rw, req)
		}))
	r.wantCode(t, 0)
	for name, want := range map[string]string{"A": "Correct-Horse", "B": "Battery-Staple"} {
		s, _ := server.Secret("acme", "actions", name)
		wantEqual(t, "the stored value", s.Value, want)
	}
}
