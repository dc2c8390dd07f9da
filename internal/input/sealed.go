package input

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// parseSealed parses a given value. It masks text that is not base64. It masks and rejects readable text in base64:
// that is a plaintext, which would be sent, and shown in outputs and summary. A sealed box is not readable, because it
// begins with a random key.
func (r *reader) parseSealed(s secret.Sealed) (secret.Sealed, error) {
	decoded, err := base64.RawStdEncoding.DecodeString(compactBase64.Replace(s.EncryptedValue))
	isOther := func(c rune) bool { return !unicode.IsPrint(c) && !unicode.IsSpace(c) }
	isText := err == nil && len(decoded) > 0 && utf8.Valid(decoded) && !bytes.ContainsFunc(decoded, isOther)
	if isText {
		r.result.Masks.Add(string(decoded))
	}
	if _, err := base64.StdEncoding.DecodeString(s.EncryptedValue); isText || err != nil {
		r.result.Masks.Add(s.EncryptedValue)
	}
	if isText {
		return secret.Sealed{}, &seal.Error{Field: "encrypted_value", Text: "holds readable text, so it is not " +
			"sealed: pass a plaintext in secret_value, or the output encrypted_value of a step with mode: seal"}
	}
	return seal.ParseSealed(s)
}

// compactBase64 removes line breaks, spaces and padding of base64, and replaces the URL alphabet by the standard one.
var compactBase64 = strings.NewReplacer("\r", "", "\n", "", " ", "", "=", "", "-", "+", "_", "/")

// sealedRow has the fields that are used of a row of the output results. The access is not used: the job that sealed
// must neither choose nor claim who may read the secret.
type sealedRow struct {
	Store      string           `json:"store"`
	SecretName string           `json:"secret_name"`
	Operation  secret.Operation `json:"operation"`
	secret.Sealed
}

// isStored reports whether the row says that the value is stored.
func (row sealedRow) isStored() bool {
	return slices.Contains([]secret.Operation{secret.Created, secret.Updated, secret.Skipped}, row.Operation)
}

// sealedRows reads the input sealed. It returns a row for each name in each store, in the order of names, then stores.
func (r *reader) sealedRows(stores []secret.Store, names []secret.Name) (list []Sealed) {
	var rows []sealedRow
	if err := json.Unmarshal([]byte(r.get("sealed")), &rows); err != nil {
		r.maskRejected(r.get("sealed"))
		r.problemf("sealed", "must be the results of a seal run: "+
			"a JSON array of rows with store, secret_name, key_id and encrypted_value")
		return nil
	}
	waiting, sorted := 0, slices.Sorted(slices.Values(names))
	numbers := map[Sealed][]int{} // the numbers of rows, from 1, by name and store
	for i, row := range rows {
		name, _ := secret.ParseName(row.SecretName)
		store, _ := secret.ParseStore(row.Store)
		target := Sealed{Name: name, Store: store}
		numbers[target] = append(numbers[target], i+1)
		_, isListed := slices.BinarySearch(sorted, name) // fast, because both lists may be long
		if isAskedFor := isListed && slices.Contains(stores, store); !isAskedFor && !row.isStored() {
			waiting++
		}
	}
	for _, name := range names {
		for _, store := range stores {
			target := Sealed{Name: name, Store: store}
			found := numbers[target]
			if len(found) == 0 {
				r.problemf("sealed", "%s in %s is requested by secret_name and stores, but has no row", name, store)
				continue
			}
			if len(found) > 1 {
				r.problemf("sealed", "row %d: %s in %s is listed twice", found[1], name, store)
			}
			s, err := r.sealedRow(target, rows[found[0]-1])
			if err != nil {
				r.problemf("sealed", "row %d: %s in %s: %v", found[0], name, store, err)
			}
			list = append(list, s)
		}
	}
	if waiting > 0 {
		r.warnf("sealed: left out %s, not stored yet, that secret_name and stores do not list",
			secret.Count(waiting, "row"))
	}
	return list
}

// sealedRow parses a selected row. The job that wrote the row is not trusted: the row must have a valid sealed value,
// or say that the value is stored, but not both.
func (r *reader) sealedRow(s Sealed, row sealedRow) (Sealed, error) {
	var err error
	s.Done = row.isStored()
	switch {
	case s.Done && row.EncryptedValue != "":
		err = errors.New("stored, as it says, and with an encrypted_value to store")
	case !s.Done && row.EncryptedValue == "":
		err = errors.New("without an encrypted_value, and not stored yet")
	case !s.Done:
		s.Sealed, err = r.parseSealed(row.Sealed)
	}
	return s, err
}
