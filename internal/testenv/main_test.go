package testenv_test

import (
	"testing"

	"ldapsync/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
