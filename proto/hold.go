package proto

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// EntryKey stands for an entry where its id would be too long: the first 16 bytes of the SHA-256 of the id.
func EntryKey(id string) [16]byte {
	sum := sha256.Sum256([]byte(id))
	return [16]byte(sum[:16])
}

// The changes that a Loss counts and a Hold holds, see Loss.change.
const (
	ChangeRemoved    = "removed"
	ChangeMembership = "membership"
	ChangeStaff      = "staff"
	ChangeSuperuser  = "superuser"
	ChangeActive     = "active"
	ChangeAttribute  = "attribute"
)

// HoldHash is the hash of a hold: the first 16 bytes, as 32 hexadecimal digits, of the SHA-256 over kind, change and key, each behind its length (4
// bytes, big-endian), then for each entry, in ascending order of the keys, its key and its digest. Digests is empty, for removals,
// or has 16 bytes for each of entries; of a removal among changes they are zero.
func HoldHash(kind Kind, change, key string, entries, digests []byte) string {
	h := sha256.New()
	for _, s := range []string{string(kind), change, key} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	for i := 0; i+16 <= len(entries); i += 16 {
		h.Write(entries[i : i+16])
		if len(digests) == 0 {
			h.Write(make([]byte, 16))
		} else {
			h.Write(digests[i : i+16])
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
