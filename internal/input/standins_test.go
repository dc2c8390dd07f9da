package input

import (
	"strings"
	"testing"
)

const pemKey = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n"

// longText is longer than the ends of a value.
var longText = strings.Repeat("Correct-Horse ", 500)

// standInTests has, for each row of standIns in its order, texts that are taken for it
// and texts like these that are not.
var standInTests = []struct{ taken, other []string }{
	{[]string{" ", "\n\t\r\n\v", "\u00A0", "\u200B\uFEFF"}, []string{" x ", "."}},
	{[]string{"null", " null\n"}, []string{"nullable", "NULL", "Null", "null null", `"null"`}},
	{[]string{"None", "None\r\n"}, []string{"none", "None of us", "NoneOf"}},
	{[]string{"undefined", "[object Object]", "[object Object]\n"}, []string{"Undefined", "undefined1", "[object Array]"}},
	{[]string{"Object", "Array"}, []string{"Objects", "array", "Object.keys"}},
	{[]string{"***", " ***\n"}, []string{"**", "* * *"}},
	{[]string{"${{ secrets.X }}", "${{ a }}\n", "${{\n a\n}}"}, []string{"{{ x }}", "$[{ x }]", "$HOME"}},

	{[]string{"op://vault/item/field", "op://v/i/f\n"}, []string{"see op://vault/item", "top://x", "op:/x"}},
	{[]string{"{{ op://v/i/f }}", "a: {{op://v/i/f}}"}, []string{"{{ op }}", "{op://v}"}},
	{[]string{"ENC[AES256_GCM,data:x,type:str]\n", "ENC[PKCS7,x]"}, []string{"ENC[x] and more", "FENC[x]", "enc[x]"}},
	{[]string{"vault:secret/data/db#password", "vault:v1:abc="}, []string{"vault", "my vault:x", "Vault:x"}},
	{[]string{"ref+vault://a/b#/c", "ref+awsssm://a", "secretref+gcp:x"}, []string{"ref+", "ref+ x", "pref+x://y"}},
	{[]string{"encrypted:BDyD0b", "encrypted:a+/="}, []string{"encrypted: no", "unencrypted:x", "encrypted"}},
	{[]string{"{{resolve:secretsmanager:x}}", "db://u:{{resolve:ssm:p:1}}@h"}, []string{"{resolve:x}", "{{ resolve }}"}},
	{[]string{"@Microsoft.KeyVault(SecretUri=https://x)"}, []string{"Microsoft.KeyVault(x)", "@Microsoft"}},
	{[]string{"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"}, []string{"version 1", "https://git-lfs.github.com"}},
	{[]string{"\x00GITCRYPT\x00\x01\xff"}, []string{"GITCRYPT", "a\x00GITCRYPT"}},
	{[]string{"$ANSIBLE_VAULT;1.1;AES256\n6162\n"}, []string{"$ANSIBLE_VAULT", "x $ANSIBLE_VAULT;"}},
	{[]string{"-----BEGIN AGE ENCRYPTED FILE-----\nYQ==\n-----END AGE ENCRYPTED FILE-----\n"}, []string{"AGE-SECRET-KEY-1X"}},
	{
		[]string{strings.ReplaceAll(pemKey, "\n", " "), strings.ReplaceAll(pemKey, "\n", `\n`), `"` + strings.ReplaceAll(pemKey, "\n", `\n`) + `"`},
		[]string{pemKey, strings.ReplaceAll(pemKey, "\n", "\r\n"), `{"private_key": "` + strings.ReplaceAll(pemKey, "\n", `\n`) + `"}`},
	},
	{[]string{"a ${{ b }}", longText + "${{" + longText, "${{ a }}${{ b }}", "${{ a"}, []string{"a ${b}", "{{ a }}"}},
	{[]string{"a***b", "****", "x ***\ny"}, []string{"**a**", "* * *"}},
	{[]string{"\uFEFFCorrect"}, []string{"a\uFEFFb"}},
	{[]string{"“Correct”", "Horse’", "Correct\u00A0", "\u200BHorse", longText + "”", "“" + longText, "Horse\uFEFF\n"}, []string{"it’s", "a\u00A0b", "'a'", "«a»"}},
}

// TestStandIns checks that each row of the table is rejected or stored as it says, and
// that texts like its own are not taken for it.
func TestStandIns(t *testing.T) {
	if len(standInTests) != len(standIns) {
		t.Fatalf("got tests of %d rows, want %d", len(standInTests), len(standIns))
	}
	for i, row := range standIns {
		for _, text := range standInTests[i].taken {
			r := read(t, with{"secret_value": text})
			if row.isRejected {
				wantProblem(t, text, r, "secret_value: is "+row.is+"; "+row.advice)
				if masks := r.Masks.Lines(); len(masks) != 1 {
					t.Errorf("%q: got the masks %q, want only that of the token", text, masks)
				}
				wantProblem(t, text, read(t, with{"secrets": "A<<E\n" + text + "\nE"}), "secrets: A is "+row.is)
				continue
			}
			wantEntries(t, text, r, "DB_PASSWORD="+text)
			want := "secret_value is " + row.is + "; it is stored as it is. If that is not meant, " + row.advice
			if !strings.Contains(strings.Join(r.Warnings, "\n"), want) {
				t.Errorf("%q: got the warnings %q, want %q", text, r.Warnings, want)
			}
		}
		for _, text := range standInTests[i].other {
			r := read(t, with{"secret_value": text})
			wantEntries(t, text, r, "DB_PASSWORD="+text)
			if got := strings.Join(r.Warnings, "\n"); strings.Contains(got, "stored as it is. If") {
				t.Errorf("%q: got the warnings %q, want none of %q", text, got, row.is)
			}
		}
	}
}

// TestStandInsOfBatches checks that the whole text of a batch is rejected as a value
// is, with the way to pass the outputs of a step, and is not masked.
func TestStandInsOfBatches(t *testing.T) {
	for _, text := range []string{"null", "None", "undefined", "[object Object]", "Object", "Array", "***", "${{ x }}"} {
		for _, format := range []string{"auto", "dotenv"} {
			r := read(t, with{"secrets": text, "secrets_format": format})
			wantProblem(t, text, r, "; for the outputs of a step write ${{ toJSON(steps.ID.outputs) }} with the id of that step")
			if masks := r.Masks.Lines(); len(masks) != 1 {
				t.Errorf("%q: got the masks %q, want only that of the token", text, masks)
			}
		}
	}
	r := read(t, with{"secrets": "A=undefined\nB"})
	if masks := r.Masks.Lines(); len(masks) != 1 {
		t.Errorf("a line: got the masks %q, want only that of the token", masks)
	}
	for _, text := range []string{"$ANSIBLE_VAULT;1.1;AES256\n6162=\n", "ENC[AES256_GCM,data:x=]", "-----BEGIN AGE ENCRYPTED FILE-----\nYQ==\n"} {
		for _, format := range []string{"auto", "dotenv"} {
			wantProblem(t, text, read(t, with{"secrets": text, "secrets_format": format}), "secrets: is encrypted by ")
		}
	}
}
