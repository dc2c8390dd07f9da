// Command floor is the least that stores an organization secret: the standard
// library and nacl/box, one GET, one seal, one PUT. It retries nothing, preserves
// no access and logs one line; BenchmarkProcess compares the action with it.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"golang.org/x/crypto/nacl/box"
)

func main() {
	base := os.Getenv("INPUT_API_URL") + "/orgs/" + os.Getenv("INPUT_ORG") + "/actions/secrets/"
	resp := send(http.MethodGet, base+"public-key", nil)
	var key struct {
		ID  string `json:"key_id"`
		Key string `json:"key"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&key); err != nil {
		log.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(key.Key)
	if err != nil || len(raw) != 32 {
		log.Fatal("no key")
	}
	sealed, err := box.SealAnonymous(nil, []byte(os.Getenv("INPUT_SECRET_VALUE")), (*[32]byte)(raw), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{
		"encrypted_value": base64.StdEncoding.EncodeToString(sealed), "key_id": key.ID, "visibility": "private",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(send(http.MethodPut, base+os.Getenv("INPUT_SECRET_NAME"), body).Status)
}

func send(method, url string, body []byte) *http.Response {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("INPUT_TOKEN"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	if resp.StatusCode > 204 {
		log.Fatal(resp.Status)
	}
	return resp
}
