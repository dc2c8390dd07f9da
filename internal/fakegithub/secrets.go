package fakegithub

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/nacl/box"
)

const (
	maxValueBytes = 48 << 10
	maxBodyBytes  = 1 << 20
)

var storeNames = []string{"actions", "dependabot", "codespaces", "agents"}

type org struct {
	id     int64
	login  string
	repos  []*Repository
	stores map[string]*store
}

// store is one kind of secrets, with a key of its own.
type store struct {
	keyID           string
	public, private *[32]byte
	secrets         map[string]*stored
}

type stored struct {
	Secret
	ids map[int64]bool
}

func newOrg(id int64, spec Org) (*org, error) {
	o := &org{id: id, login: spec.Login, stores: map[string]*store{}}
	for i := range spec.Repositories {
		o.repos = append(o.repos, &spec.Repositories[i])
	}
	for i := range spec.RepositoryCount {
		o.repos = append(o.repos, &Repository{ID: int64(10001 + i), Name: fmt.Sprintf("repo-%04d", i+1)})
	}
	for _, name := range storeNames {
		o.stores[name] = &store{secrets: map[string]*stored{}}
		o.stores[name].rotate()
	}
	for _, s := range spec.Secrets {
		if o.stores[s.Store] == nil {
			return nil, fmt.Errorf("no store %q", s.Store)
		}
		for _, name := range s.Repositories {
			if o.repoByName(name) == nil {
				return nil, fmt.Errorf("secret %s: no repository %q", s.Name, name)
			}
		}
		o.put(s)
	}
	for i := range spec.SecretCount {
		o.put(Secret{Store: "actions", Name: fmt.Sprintf("S%04d", i+1), Visibility: "private"})
	}
	return o, nil
}

// put sets a secret without a request.
func (o *org) put(s Secret) {
	kept := &stored{Secret: s, ids: map[int64]bool{}}
	kept.Name = strings.ToUpper(s.Name)
	kept.CreatedAt = cmp.Or(s.CreatedAt, time.Now())
	kept.UpdatedAt = cmp.Or(s.UpdatedAt, kept.CreatedAt)
	for _, name := range s.Repositories {
		if r := o.repoByName(name); r != nil {
			kept.ids[r.ID] = true
		}
	}
	o.stores[s.Store].secrets[kept.Name] = kept
}

func (st *store) rotate() {
	st.public, st.private, _ = box.GenerateKey(rand.Reader)
	n, _ := rand.Int(rand.Reader, big.NewInt(900_000_000_000_000_000))
	st.keyID = strconv.FormatInt(n.Int64()+100_000_000_000_000_000, 10)
}

// Secret tells what a store holds, opened.
func (s *Server) Secret(org, storeName, name string) (Secret, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orgs[strings.ToLower(org)]
	if o == nil || o.stores[storeName] == nil {
		return Secret{}, false
	}
	kept, ok := o.stores[storeName].secrets[strings.ToUpper(name)]
	if !ok {
		return Secret{}, false
	}
	return o.export(storeName, kept), true
}

// export fills in what is derived.
func (o *org) export(storeName string, kept *stored) Secret {
	out := kept.Secret
	out.Store, out.Repositories = storeName, nil
	if out.Visibility == "selected" {
		out.Repositories = []string{}
		for _, r := range o.repos {
			if kept.ids[r.ID] {
				out.Repositories = append(out.Repositories, r.Name)
			}
		}
		slices.Sort(out.Repositories)
	}
	return out
}

// Secrets tells every secret of every organization, in order of organization,
// store and name.
func (s *Server) Secrets() []Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Secret{}
	for _, login := range slices.Sorted(maps.Keys(s.orgs)) {
		for _, name := range storeNames {
			secrets := s.orgs[login].stores[name].secrets
			for _, key := range slices.Sorted(maps.Keys(secrets)) {
				list = append(list, s.orgs[login].export(name, secrets[key]))
			}
		}
	}
	return list
}

// RotateKey gives a store another key.
func (s *Server) RotateKey(org, storeName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orgs[strings.ToLower(org)].stores[storeName].rotate()
}

// Key is a store's public key and its id.
func (s *Server) Key(org, storeName string) (id, base64Key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.orgs[strings.ToLower(org)].stores[storeName]
	return st.keyID, base64.StdEncoding.EncodeToString(st.public[:])
}

func readBody(req *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBodyBytes+1))
	if err == nil && len(body) > maxBodyBytes {
		err = errors.New("too large")
	}
	return body, err
}

func (s *Server) publicKey(r request) answer {
	var id any = r.store.keyID
	if s.world.NumericKeyIDs {
		id = json.Number(r.store.keyID)
	}
	return ok(map[string]any{"key_id": id, "key": base64.StdEncoding.EncodeToString(r.store.public[:])})
}

func (s *Server) wire(r request, kept *stored) map[string]any {
	out := map[string]any{
		"name": kept.Name, "visibility": kept.Visibility,
		"created_at": kept.CreatedAt.UTC().Format(time.RFC3339), "updated_at": kept.UpdatedAt.UTC().Format(time.RFC3339),
	}
	if kept.Visibility == "selected" {
		secrets, _, _ := strings.Cut(r.URL.Path, "/secrets")
		out["selected_repositories_url"] = fmt.Sprintf("http://%s%s/secrets/%s/repositories", r.Host, secrets, kept.Name)
	}
	return out
}

func (s *Server) listSecrets(r request) answer {
	list := []any{}
	for _, key := range slices.Sorted(maps.Keys(r.store.secrets)) {
		list = append(list, s.wire(r, r.store.secrets[key]))
	}
	page, header := s.page(r, list)
	return answer{status: http.StatusOK, header: header, body: map[string]any{"total_count": len(list), "secrets": page}}
}

func (s *Server) getSecret(r request) answer {
	kept := r.store.secrets[strings.ToUpper(r.name)]
	if kept == nil {
		return notFound
	}
	return ok(s.wire(r, kept))
}

var (
	legalName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	legalBase64 = regexp.MustCompile(`^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`)
)

const badlySealed = "Bad request - validation failed due to an improperly encrypted secret"

// putSecret follows the description's schema; what GitHub answers to a wrong
// key_id is not documented, and 422 is what a box that can't be opened gets.
func (s *Server) putSecret(r request) answer {
	var in struct {
		EncryptedValue *string            `json:"encrypted_value"`
		KeyID          *string            `json:"key_id"`
		Visibility     *string            `json:"visibility"`
		IDs            *[]json.RawMessage `json:"selected_repository_ids"`
	}
	if json.Unmarshal(r.body, &in) != nil {
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	invalid := func(text string) answer {
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\n"+text)
	}
	switch {
	case in.EncryptedValue == nil || in.KeyID == nil || in.Visibility == nil:
		return invalid(`"encrypted_value", "key_id", "visibility" weren't supplied.`)
	case *in.Visibility != "all" && *in.Visibility != "private" && *in.Visibility != "selected":
		return invalid(*in.Visibility + " is not a member of [\"all\", \"private\", \"selected\"].")
	case !legalName.MatchString(r.name) || strings.HasPrefix(strings.ToUpper(r.name), "GITHUB_"):
		return invalid("Secret names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_).")
	case !legalBase64.MatchString(*in.EncryptedValue):
		return invalid(*in.EncryptedValue + " does not match /" + legalBase64.String() + "/.")
	case *in.KeyID != r.store.keyID:
		return refuse(http.StatusUnprocessableEntity, badlySealed)
	}
	ids, bad := s.ids(r, in.IDs)
	if bad != nil {
		return *bad
	}
	raw, _ := base64.StdEncoding.DecodeString(*in.EncryptedValue)
	plain, opened := box.OpenAnonymous(nil, raw, r.store.public, r.store.private)
	if !opened {
		return refuse(http.StatusUnprocessableEntity, badlySealed)
	}
	if len(plain) > maxValueBytes {
		return invalid("Secret value is too large.")
	}
	name := strings.ToUpper(r.name)
	kept, stands := r.store.secrets[name]
	if !stands {
		kept = &stored{Secret: Secret{Name: name, CreatedAt: r.at}}
		r.store.secrets[name] = kept
	}
	kept.Value, kept.Visibility, kept.UpdatedAt, kept.KeyID = string(plain), *in.Visibility, r.at, *in.KeyID
	// A list that is left out is an empty list. With another visibility than
	// selected the list is passed over, as nobody could read it.
	kept.ids = ids
	if stands {
		return answer{status: http.StatusNoContent}
	}
	return answer{status: http.StatusCreated, body: map[string]any{}}
}

// ids reads a list of repository ids: integers, of repositories of this
// organization.
func (s *Server) ids(r request, list *[]json.RawMessage) (map[int64]bool, *answer) {
	ids := map[int64]bool{}
	if list == nil {
		return ids, nil
	}
	for _, raw := range *list {
		id, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			a := refuse(http.StatusUnprocessableEntity, fmt.Sprintf("Invalid property /selected_repository_ids: %s is not of type integer.", raw))
			return nil, &a
		}
		if r.org.repoByID(id) == nil {
			a := refuse(http.StatusUnprocessableEntity, fmt.Sprintf("Repository %d is not a repository of this organization", id))
			return nil, &a
		}
		ids[id] = true
	}
	return ids, nil
}

func (s *Server) deleteSecret(r request) answer {
	name := strings.ToUpper(r.name)
	if r.store.secrets[name] == nil {
		return notFound
	}
	delete(r.store.secrets, name)
	return answer{status: http.StatusNoContent}
}

// selectedSecret finds a secret that has a list.
func (s *Server) selectedSecret(r request) (*stored, *answer) {
	kept := r.store.secrets[strings.ToUpper(r.name)]
	if kept == nil {
		return nil, &notFound
	}
	if kept.Visibility != "selected" {
		a := refuse(http.StatusConflict, "Conflict")
		a.body.(map[string]any)["errors"] = "Secret visibility is not set to selected repositories"
		return nil, &a
	}
	return kept, nil
}

func (s *Server) listSelected(r request) answer {
	kept, bad := s.selectedSecret(r)
	if bad != nil {
		return *bad
	}
	seen := []any{}
	total := 0
	for _, repo := range r.org.repos {
		if kept.ids[repo.ID] {
			total++
			if r.token.sees(repo) {
				seen = append(seen, r.org.wire(repo))
			}
		}
	}
	page, header := s.page(r, seen)
	return answer{status: http.StatusOK, header: header, body: map[string]any{"total_count": total, "repositories": page}}
}

func (s *Server) replaceSelected(r request) answer {
	kept, bad := s.selectedSecret(r)
	if bad != nil {
		return *bad
	}
	var in struct {
		IDs *[]json.RawMessage `json:"selected_repository_ids"`
	}
	if json.Unmarshal(r.body, &in) != nil || in.IDs == nil {
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\n\"selected_repository_ids\" wasn't supplied.")
	}
	ids, bad := s.ids(r, in.IDs)
	if bad != nil {
		return *bad
	}
	kept.ids = ids
	return answer{status: http.StatusNoContent}
}

func (s *Server) addSelected(r request) answer {
	kept, bad := s.selectedSecret(r)
	if bad != nil {
		return *bad
	}
	if r.org.repoByID(r.id) == nil {
		return notFound
	}
	kept.ids[r.id] = true
	return answer{status: http.StatusNoContent}
}

func (s *Server) removeSelected(r request) answer {
	kept, bad := s.selectedSecret(r)
	if bad != nil {
		return *bad
	}
	if !kept.ids[r.id] {
		return notFound
	}
	delete(kept.ids, r.id)
	return answer{status: http.StatusNoContent}
}
