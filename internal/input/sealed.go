package input

import (
	"encoding/json"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// encryptedValue reads one value that came sealed.
func (r *reader) encryptedValue(stores []secret.Store) []Sealed {
	name := r.oneName()
	if len(stores) > 1 {
		r.fault("stores", "each store has a key of its own, and one encrypted_value is given: name one store, or hand over the results of a seal run in sealed")
	}
	switch {
	case !r.given("encrypted_value"):
		r.fault("encrypted_value", "missing beside key_id")
		return nil
	case !r.given("key_id"):
		r.fault("key_id", "missing beside encrypted_value: the key that the value was sealed to, an output of the step that sealed it")
		return nil
	}
	sealed, err := seal.ParseSealed(r.get("encrypted_value"), r.get("key_id"))
	if err != nil {
		r.sealFault(err)
	}
	if len(stores) != 1 {
		return nil
	}
	return []Sealed{{Store: stores[0], Name: name, Sealed: sealed}}
}

// sealedRow is a row of the output results, as far as it matters here. What a
// row says about access is not read: the job that sealed must not choose it.
type sealedRow struct {
	Store          string `json:"store"`
	SecretName     string `json:"secret_name"`
	Operation      string `json:"operation"`
	Visibility     string `json:"visibility"`
	KeyID          string `json:"key_id"`
	EncryptedValue string `json:"encrypted_value"`
}

// sealed reads the results of another run, and takes of them what secret_name
// and stores allow, all of it and nothing else. Rows come in the order of
// secret_name and stores.
func (r *reader) sealed(stores []secret.Store, names []secret.Name) []Sealed {
	var rows []sealedRow
	if err := json.Unmarshal([]byte(r.get("sealed")), &rows); err != nil {
		r.fault("sealed", "not the results of a seal run: a JSON array of rows with store, secret_name, key_id and encrypted_value")
		return nil
	}
	type target struct {
		name  secret.Name
		store secret.Store
	}
	found := map[target]Sealed{}
	for i, row := range rows {
		name, err := secret.ParseName(row.SecretName)
		if err != nil {
			r.fault("sealed", "row %d: secret_name: %v", i+1, err)
			continue
		}
		store, err := secret.ParseStore(row.Store)
		if err != nil {
			r.fault("sealed", "row %d: store: %v", i+1, err)
			continue
		}
		s := Sealed{Store: store, Name: name}
		key := target{name, store}
		if _, twice := found[key]; twice {
			r.fault("sealed", "row %d: %s in %s stands twice", i+1, name, store)
			continue
		}
		if op := secret.Operation(row.Operation); op == secret.Created || op == secret.Updated {
			s.Done, s.Sealed.KeyID = op, row.KeyID
			s.Visibility, _ = secret.ParseVisibility(row.Visibility)
		} else if row.EncryptedValue == "" {
			r.fault("sealed", "row %d: %s in %s has no encrypted_value and is not stored yet", i+1, name, store)
		} else if s.Sealed, err = seal.ParseSealed(row.EncryptedValue, row.KeyID); err != nil {
			r.fault("sealed", "row %d: %s in %s: %v", i+1, name, store, err)
		}
		found[key] = s
	}
	var list []Sealed
	for _, name := range names {
		for _, store := range stores {
			key := target{name, store}
			s, ok := found[key]
			if !ok && !r.faulty("sealed") {
				r.fault("sealed", "%s in %s is named in secret_name and stores, but is not among the sealed rows", name, store)
			}
			delete(found, key)
			list = append(list, s)
		}
	}
	for i, row := range rows { // in input order
		name, _ := secret.ParseName(row.SecretName)
		store, _ := secret.ParseStore(row.Store)
		if _, left := found[target{name, store}]; left && len(names) > 0 {
			r.fault("sealed", "row %d: %s in %s is not allowed by secret_name and stores", i+1, name, store)
			delete(found, target{name, store})
		}
	}
	return list
}
