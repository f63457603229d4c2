package django

// Settings says which of a project's tables and columns are synchronized.
type Settings struct {
	Users  Users
	Groups Groups
	// References says what becomes of rows that refer to a user who is deleted: "table.column" or "schema.table.column" → "cascade",
	// "set_null" or "refuse". Rows of Django's own tables go with their user. Default: refuse, for each table.
	References map[string]string
	// Outcomes is true when what callbacks and people's commands do is written into the outbox.
	Outcomes bool
}

// Users says where users go.
type Users struct {
	// Table is the users' table, with or without its schema. Default: auth_user, else the table that django_admin_log.user_id refers to.
	Table string
	// UsernameField is the unique column that holds the username. Default: username.
	UsernameField string
	// Columns are the mapped columns, besides UsernameField and Active, in any order.
	Columns []string
	// Active is the column that ends a user's sessions when false. Default: is_active, if the table has it.
	Active string
	// Staff and Superuser are the columns that make an account privileged; they are written only where Columns names them.
	// Default: is_staff and is_superuser, if the table has them.
	Staff, Superuser string
	// Defaults are values for columns that no attribute fills: unmapped ones of a new row, and mapped ones whose attribute is missing.
	Defaults map[string]string
	// Skip is true when no source reads users: the table is described, and nothing about writing it is judged.
	Skip bool
}

// Groups says where groups go: auth_group, and the table that joins it with the users.
type Groups struct {
	// Columns are the mapped columns besides name.
	Columns []string
	// Membership is true when memberships are written.
	Membership bool
	// Delete is true when the row of a group that is gone may be deleted.
	Delete bool
	// Skip is true when no source reads groups.
	Skip bool
}
