package input

import (
	"encoding/json"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// encryptedValue reads one value that is already sealed.
func (r *reader) encryptedValue(stores []secret.Store) []Sealed {
	name := r.oneName()
	if len(stores) > 1 {
		r.problemf("stores", "must be one store with encrypted_value, because each store has its own key; "+
			"for several use the results of a seal run in sealed")
	}
	switch {
	case !r.isSet("encrypted_value"):
		r.problemf("encrypted_value", "required with key_id")
		return nil
	case !r.isSet("key_id"):
		r.problemf("key_id", "required with encrypted_value; both are outputs of the step that sealed the value")
		return nil
	}
	sealed, err := seal.ParseSealed(r.get("encrypted_value"), r.get("key_id"))
	if err != nil {
		r.sealProblem(err)
	}
	if len(stores) != 1 {
		return nil
	}
	return []Sealed{{Store: stores[0], Name: name, Sealed: sealed}}
}

// sealedRow is a row of the output results, as far as it is used. Its access is not: the job that sealed must not
// choose who may read the secret.
type sealedRow struct {
	Store          string `json:"store"`
	SecretName     string `json:"secret_name"`
	Operation      string `json:"operation"`
	Visibility     string `json:"visibility"`
	KeyID          string `json:"key_id"`
	EncryptedValue string `json:"encrypted_value"`
}

// target is what a row is about.
type target struct {
	name  secret.Name
	store secret.Store
}

// sealedRows reads the results of another run. It returns the rows that names and stores allow, in their order; other
// rows, and rows that are missing, are problems.
func (r *reader) sealedRows(stores []secret.Store, names []secret.Name) []Sealed {
	var rows []sealedRow
	if err := json.Unmarshal([]byte(r.get("sealed")), &rows); err != nil {
		r.problemf("sealed", "must be the results of a seal run: "+
			"a JSON array of rows with store, secret_name, key_id and encrypted_value")
		return nil
	}
	found := map[target]Sealed{}
	var order []target // of the rows
	for i, row := range rows {
		s, ok := r.sealedRow(i+1, row)
		key := target{s.Name, s.Store}
		if _, twice := found[key]; ok && twice {
			r.problemf("sealed", "row %d: %s in %s is listed twice", i+1, s.Name, s.Store)
			ok = false
		}
		if !ok {
			key = target{}
		} else {
			found[key] = s
		}
		order = append(order, key)
	}
	var list []Sealed
	complete := !r.hasProblem("sealed") // else a row that is invalid may be the missing one
	for _, name := range names {
		for _, store := range stores {
			s, ok := found[target{name, store}]
			if !ok && complete {
				r.problemf("sealed", "%s in %s is requested by secret_name and stores, but has no row", name, store)
			}
			delete(found, target{name, store})
			list = append(list, s)
		}
	}
	for i, key := range order {
		if _, left := found[key]; left && len(names) > 0 {
			r.problemf("sealed", "row %d: %s in %s is not allowed by secret_name and stores", i+1, key.name, key.store)
		}
	}
	return list
}

// sealedRow parses a row. ok is false if it does not say what it is about.
func (r *reader) sealedRow(number int, row sealedRow) (s Sealed, ok bool) {
	var err error
	if s.Name, err = secret.ParseName(row.SecretName); err != nil {
		r.problemf("sealed", "row %d: secret_name: %v", number, err)
		return s, false
	}
	if s.Store, err = secret.ParseStore(row.Store); err != nil {
		r.problemf("sealed", "row %d: store: %v", number, err)
		return s, false
	}
	op := secret.Operation(row.Operation)
	switch {
	case op == secret.Created || op == secret.Updated:
		s.Stored = &secret.Result{Operation: op, KeyID: row.KeyID}
		s.Stored.Access.Visibility, _ = secret.ParseVisibility(row.Visibility)
	case row.EncryptedValue == "":
		r.problemf("sealed", "row %d: %s in %s has no encrypted_value and is not stored yet", number, s.Name, s.Store)
	default:
		if s.Sealed, err = seal.ParseSealed(row.EncryptedValue, row.KeyID); err != nil {
			r.problemf("sealed", "row %d: %s in %s: %v", number, s.Name, s.Store, err)
		}
	}
	return s, true
}
