package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestExampleFileLoads reads deploy/ldapsync.yaml, which stands in the README as the reference.
func TestExampleFileLoads(t *testing.T) {
	file, err := os.ReadFile(filepath.FromSlash("../../../../deploy/ldapsync.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, string(file))
	if len(c.Sources) != 1 || len(c.Targets) != 1 || c.Sources[0].Flags.Active == nil || c.Targets[0].Removal.Callbacks[0] != "deactivate" {
		t.Errorf("loaded: %+v", c)
	}
}
