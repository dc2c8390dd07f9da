package fakegithub

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// store is one kind of secrets of an organization.
type store struct {
	contents
	rand io.Reader
	lag  time.Duration
	past []past // oldest first; only those that a copy may still show
}

// contents are the key pair and the secrets of a store.
type contents struct {
	keyID   string
	keys    func() (public, private *[32]byte) // generated at first use: most stores of a world are not used
	secrets map[string]*storedSecret
}

// past is the contents of a store until a change.
type past struct {
	contents
	until time.Time
}

// storedSecret is a secret with the ids of its selected repositories. It is replaced by a copy, never modified, since
// a copy of the store that lags has it as well.
type storedSecret struct {
	Secret
	ids map[int64]bool
}

func newOrg(id int64, spec Org, random io.Reader) (*org, error) {
	o := &org{id: id, login: spec.Login, stores: map[string]*store{}}
	for i := range spec.Repositories {
		o.repos = append(o.repos, &spec.Repositories[i])
	}
	for i := range spec.RepositoryCount {
		o.repos = append(o.repos, &Repository{ID: int64(10001 + i), Name: fmt.Sprintf("repo-%04d", i+1)})
	}
	for _, name := range storeNames {
		o.stores[name] = &store{contents: contents{secrets: map[string]*storedSecret{}}, rand: random}
		o.stores[name].rotate()
	}
	yesterday := time.Now().AddDate(0, 0, -1).Truncate(time.Second)
	secrets := slices.Clone(spec.Secrets)
	for i := range spec.SecretCount {
		secrets = append(secrets, Secret{Store: "actions", Name: fmt.Sprintf("S%04d", i+1), Visibility: "private"})
	}
	for _, s := range secrets {
		if err := o.put(s, yesterday); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// put creates or replaces a secret without a request. at is the default of its times. It returns an error if the
// store or a repository is unknown.
func (o *org) put(s Secret, at time.Time) error {
	st := o.stores[s.Store]
	if st == nil {
		return fmt.Errorf("secret %s: unknown store %q", s.Name, s.Store)
	}
	stored := &storedSecret{Secret: s, ids: map[int64]bool{}}
	stored.Name = strings.ToUpper(s.Name)
	stored.CreatedAt = cmp.Or(s.CreatedAt, s.UpdatedAt, at)
	stored.UpdatedAt = cmp.Or(s.UpdatedAt, stored.CreatedAt)
	for _, name := range s.Repositories {
		r := o.repoByName(name)
		if r == nil {
			return fmt.Errorf("secret %s: unknown repository %q", s.Name, name)
		}
		stored.ids[r.ID] = true
	}
	st.set(stored.Name, stored)
	return nil
}

// set creates or replaces a secret, or deletes it if stored is nil.
func (st *store) set(name string, stored *storedSecret) {
	st.keepPast()
	if stored == nil {
		delete(st.secrets, name)
	} else {
		st.secrets[name] = stored
	}
}

// keepPast keeps the contents before a change for the copies that lag.
func (st *store) keepPast() {
	if st.lag == 0 {
		return
	}
	now := time.Now()
	st.past = slices.DeleteFunc(st.past, func(p past) bool { return now.Sub(p.until) > st.lag })
	st.past = append(st.past, past{st.contents, now})
	st.secrets = maps.Clone(st.secrets)
}

// asOf returns a store as it was at a time, which is at most its lag ago.
func (st *store) asOf(at time.Time) *store {
	for _, p := range st.past {
		if p.until.After(at) {
			return &store{contents: p.contents}
		}
	}
	return st
}

// rotate generates a new key pair and key id.
func (st *store) rotate() {
	st.keepPast()
	var seed [32]byte
	_, _ = io.ReadFull(st.rand, seed[:])
	st.keys = sync.OnceValues(func() (public, private *[32]byte) {
		public, private, _ = box.GenerateKey(bytes.NewReader(seed[:]))
		return public, private
	})
	n, _ := rand.Int(st.rand, big.NewInt(900_000_000_000_000_000))
	st.keyID = strconv.FormatInt(n.Int64()+100_000_000_000_000_000, 10)
}

// Secret returns one secret with its value decrypted, and whether it exists. Organization and name are
// case-insensitive.
func (s *Server) Secret(org, storeName, name string) (Secret, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.orgs[strings.ToLower(org)]; o != nil && o.stores[storeName] != nil {
		if stored := o.stores[storeName].secrets[strings.ToUpper(name)]; stored != nil {
			return o.export(storeName, stored), true
		}
	}
	return Secret{}, false
}

// export returns a copy of a stored secret with its store and, if its visibility is selected, the sorted names of
// its repositories.
func (o *org) export(storeName string, stored *storedSecret) Secret {
	out := stored.Secret
	out.Store, out.Repositories = storeName, nil
	if out.Visibility == "selected" {
		out.Repositories = []string{}
		for _, r := range o.repos {
			if stored.ids[r.ID] {
				out.Repositories = append(out.Repositories, r.Name)
			}
		}
		slices.Sort(out.Repositories)
	}
	return out
}

// Secrets returns the secrets of all organizations with their values decrypted, sorted by organization, store and
// name.
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

// PutSecret creates or replaces a secret as somebody else does, without a request. It panics if the organization, the
// store or a repository is unknown.
func (s *Server) PutSecret(org string, secret Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.orgs[strings.ToLower(org)].put(secret, time.Now()); err != nil {
		panic(err)
	}
}

// DeleteSecret deletes a secret as somebody else does, without a request.
func (s *Server) DeleteSecret(org, storeName, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orgs[strings.ToLower(org)].stores[storeName].set(strings.ToUpper(name), nil)
}

// RotateKey replaces the key pair of a store.
func (s *Server) RotateKey(org, storeName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orgs[strings.ToLower(org)].stores[storeName].rotate()
}

// Key returns the id and the base64 public key of a store.
func (s *Server) Key(org, storeName string) (id, base64Key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.orgs[strings.ToLower(org)].stores[storeName]
	return st.keyID, st.publicKey()
}

func (c contents) publicKey() string {
	public, _ := c.keys()
	return base64.StdEncoding.EncodeToString(public[:])
}

func (s *Server) publicKey(r request) response {
	var id any = r.store.keyID
	if s.world.NumericKeyIDs {
		id = json.Number(r.store.keyID)
	}
	return ok(map[string]any{"key_id": id, "key": r.store.publicKey()})
}

// toJSON returns a secret as the API shows it, without the value.
func (s *Server) toJSON(r request, stored *storedSecret) map[string]any {
	out := map[string]any{
		"name": stored.Name, "visibility": stored.Visibility,
		"created_at": stored.CreatedAt.UTC().Format(time.RFC3339),
		"updated_at": stored.UpdatedAt.UTC().Format(time.RFC3339),
	}
	if stored.Visibility == "selected" {
		secrets, _, _ := strings.Cut(r.URL.Path, "/secrets")
		url := fmt.Sprintf("http://%s%s/secrets/%s/repositories", r.Host, secrets, stored.Name)
		out["selected_repositories_url"] = url
	}
	maps.Copy(out, stored.Extra)
	return out
}

// listResponse returns one page of a list with the length of the whole list.
func listResponse(header http.Header, name string, page []any, total int) response {
	return response{status: http.StatusOK, header: header, body: map[string]any{"total_count": total, name: page}}
}

func (s *Server) listSecrets(r request) response {
	names := slices.Sorted(maps.Keys(r.store.secrets))
	page, header := paginate(s, r, names, func(name string) any { return s.toJSON(r, r.store.secrets[name]) })
	return listResponse(header, "secrets", page, len(names))
}

func (s *Server) getSecret(r request) response {
	stored := r.store.secrets[strings.ToUpper(r.name)]
	if stored == nil {
		return notFound
	}
	return ok(s.toJSON(r, stored))
}

var (
	validName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	validBase64 = regexp.MustCompile(`^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`)
)

const improperlyEncrypted = "Bad request - validation failed due to an improperly encrypted secret"

// putSecret follows the schema of GitHub's description. The response to a wrong key_id is not documented; it is
// taken to be the 422 of a box that can't be decrypted.
func (s *Server) putSecret(r request) response {
	var in struct {
		EncryptedValue *string           `json:"encrypted_value"`
		KeyID          *string           `json:"key_id"`
		Visibility     *string           `json:"visibility"`
		IDs            []json.RawMessage `json:"selected_repository_ids"`
	}
	if json.Unmarshal(r.body, &in) != nil {
		return errorResponse(http.StatusBadRequest, "Problems parsing JSON")
	}
	invalid := func(text string) response { return unprocessable("Invalid request.\n\n" + text) }
	switch {
	case in.EncryptedValue == nil || in.KeyID == nil || in.Visibility == nil:
		return invalid(`"encrypted_value", "key_id", "visibility" weren't supplied.`)
	case *in.Visibility != "all" && *in.Visibility != "private" && *in.Visibility != "selected":
		return invalid(*in.Visibility + " is not a member of [\"all\", \"private\", \"selected\"].")
	case !validName.MatchString(r.name) || strings.HasPrefix(strings.ToUpper(r.name), "GITHUB_"):
		return invalid("Secret names can only contain alphanumeric characters ([a-z], [A-Z], [0-9])" +
			" or underscores (_).")
	case !validBase64.MatchString(*in.EncryptedValue):
		return invalid(*in.EncryptedValue + " does not match /" + validBase64.String() + "/.")
	case *in.KeyID != r.store.keyID:
		return unprocessable(improperlyEncrypted)
	}
	ids, errResp := parseIDs(r, in.IDs)
	if errResp != nil {
		return *errResp
	}
	raw, _ := base64.StdEncoding.DecodeString(*in.EncryptedValue)
	public, private := r.store.keys()
	plain, ok := box.OpenAnonymous(nil, raw, public, private)
	if !ok {
		return unprocessable(improperlyEncrypted)
	}
	if len(plain) > maxValueBytes {
		return invalid("Secret value is too large.")
	}
	name := strings.ToUpper(r.name)
	stored := storedSecret{Secret: Secret{Name: name, CreatedAt: r.at}}
	old, exists := r.store.secrets[name]
	if exists {
		stored = *old
	}
	stored.Value, stored.Visibility, stored.UpdatedAt, stored.KeyID = string(plain), *in.Visibility, r.at, *in.KeyID
	// A missing list counts as an empty one. The list is stored with every visibility, but only a selected secret
	// returns it.
	stored.ids = ids
	r.store.set(name, &stored)
	if exists {
		return response{status: http.StatusNoContent}
	}
	return response{status: http.StatusCreated, body: map[string]any{}}
}

// parseIDs parses a list of repository ids. It returns an error response if one is no integer or belongs to no
// repository of the organization.
func parseIDs(r request, list []json.RawMessage) (map[int64]bool, *response) {
	ids := map[int64]bool{}
	for _, raw := range list {
		id, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return nil, refuse(http.StatusUnprocessableEntity,
				fmt.Sprintf("Invalid property /selected_repository_ids: %s is not of type integer.", raw))
		}
		if r.org.repoByID(id) == nil {
			return nil, refuse(http.StatusUnprocessableEntity,
				fmt.Sprintf("Repository %d is not a repository of this organization", id))
		}
		ids[id] = true
	}
	return ids, nil
}

func (s *Server) deleteSecret(r request) response {
	name := strings.ToUpper(r.name)
	if r.store.secrets[name] == nil {
		return notFound
	}
	r.store.set(name, nil)
	return noContent
}

// ifSelected returns a handler for the list of a secret. Its response is an error if the secret does not exist or
// its visibility is not selected.
func ifSelected(handle func(*Server, request, *storedSecret) response) func(*Server, request) response {
	return func(s *Server, r request) response {
		stored := r.store.secrets[strings.ToUpper(r.name)]
		switch {
		case stored == nil:
			return notFound
		case stored.Visibility != "selected":
			const text = "Secret visibility is not set to selected repositories"
			return errorResponse(http.StatusConflict, "Conflict").with("errors", text)
		}
		return handle(s, r, stored)
	}
}

func (s *Server) listSelected(r request, stored *storedSecret) response {
	selected := slices.DeleteFunc(slices.Clone(r.org.repos), func(r *Repository) bool { return !stored.ids[r.ID] })
	total := len(selected) // counts those as well that the token cannot read
	visible := slices.DeleteFunc(selected, func(repo *Repository) bool { return !r.token.canRead(repo) })
	page, header := paginate(s, r, visible, r.org.toJSON)
	return listResponse(header, "repositories", page, total)
}

func (s *Server) replaceSelected(r request, stored *storedSecret) response {
	var in struct {
		IDs *[]json.RawMessage `json:"selected_repository_ids"`
	}
	if json.Unmarshal(r.body, &in) != nil || in.IDs == nil {
		return unprocessable("Invalid request.\n\n\"selected_repository_ids\" wasn't supplied.")
	}
	ids, errResp := parseIDs(r, *in.IDs)
	if errResp != nil {
		return *errResp
	}
	return r.store.replaceIDs(stored, ids)
}

// replaceIDs replaces the list of a secret.
func (st *store) replaceIDs(stored *storedSecret, ids map[int64]bool) response {
	changed := *stored
	changed.ids = ids
	st.set(stored.Name, &changed)
	return noContent
}

func (s *Server) addSelected(r request, stored *storedSecret) response {
	if r.org.repoByID(r.id) == nil {
		return notFound
	}
	ids := maps.Clone(stored.ids)
	ids[r.id] = true
	return r.store.replaceIDs(stored, ids)
}

func (s *Server) removeSelected(r request, stored *storedSecret) response {
	if !stored.ids[r.id] {
		return notFound
	}
	ids := maps.Clone(stored.ids)
	delete(ids, r.id)
	return r.store.replaceIDs(stored, ids)
}
