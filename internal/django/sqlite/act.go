package sqlite

import (
	"context"

	"ldapsync/callbacks"
)

// row reads what decides about an account. found is false where its row isn't there.
func (a *acting) row(ctx context.Context, pk string) (active, superuser, found bool, err error) {
	key, ok := keyValue(a.table.Key, pk)
	if !ok {
		return false, false, false, nil
	}
	found, err = a.one(ctx, []any{&active, &superuser}, `SELECT `+a.table.active+`, `+a.table.superuser+` FROM `+a.table.name+
		` WHERE `+a.table.key+` = ?`, key)
	return active, superuser, found, err
}

func (a *acting) deactivate(ctx context.Context, account callbacks.Account, l linkState) (callbacks.Outcome, string, error) {
	n := a.table.ActiveColumn()
	if n < 0 {
		return callbacks.Refused, a.table.Name + " has no column that says whether an account is active: set users.columns.active", nil
	}
	active, superuser, found, err := a.row(ctx, account.PK)
	switch {
	case err != nil:
		return "", "", err
	case !found:
		return callbacks.Vanished, "", a.bury(ctx, account)
	case !active:
		// Who did it before stays noted: what sync deactivated is still sync's.
		return callbacks.Inactive, "", a.note(ctx, account, "other", " AND deactivated_by = ''")
	case l.by != "":
		return callbacks.Returned, "a person activated it again", nil
	}
	key, _ := keyValue(a.table.Key, account.PK)
	if superuser {
		others, err := a.one(ctx, []any{new(int)}, `SELECT 1 FROM `+a.table.name+` WHERE `+a.table.superuser+` AND `+a.table.active+
			` AND `+a.table.key+` <> ? LIMIT 1`, key)
		if err != nil {
			return "", "", err
		}
		if !others {
			return callbacks.Refused, "is the last active superuser", nil
		}
	}
	if err := a.exec(ctx, `UPDATE `+a.table.name+` SET `+a.table.columns[n]+` = 0 WHERE `+a.table.key+` = ?`, key); err != nil {
		return "", "", err
	}
	return callbacks.Deactivated, "", a.note(ctx, account, "sync", "")
}

// note writes who deactivated the account into its link.
func (a *acting) note(ctx context.Context, account callbacks.Account, who, unless string) error {
	return a.exec(ctx, `UPDATE ldapsync_link SET deactivated_by = ?, deactivated_at = ?
		WHERE source = ? AND kind = 'user' AND id = ?`+unless,
		who, timeText(a.store.cfg.Now()), account.Source, account.ID)
}

func (a *acting) delete(ctx context.Context, account callbacks.Account, l linkState) (callbacks.Outcome, string, error) {
	active, superuser, found, err := a.row(ctx, account.PK)
	switch {
	case err != nil:
		return "", "", err
	case !found:
		return callbacks.Vanished, "", a.bury(ctx, account)
	case l.by == "restored":
		return callbacks.Returned, "a person restored it", nil
	case active && (a.after > 0 || l.by == "sync"):
		return callbacks.Returned, "it is active", nil
	case a.after > 0 && !l.ready:
		return callbacks.Returned, "sync hasn't deactivated it, or not for long enough", nil
	case superuser:
		return callbacks.Refused, "is a superuser", nil
	}
	if a.refs == nil {
		if a.refs, err = a.references(ctx, a.store); err != nil {
			return "", "", err
		}
	}
	reason, err := a.deleteRow(ctx, a.table, a.refs, account.PK)
	switch {
	case err != nil:
		return "", "", err
	case reason != "":
		return callbacks.Refused, reason, nil
	}
	return callbacks.Removed, "", a.bury(ctx, account)
}

func (a *acting) restore(ctx context.Context, account callbacks.Account, l linkState) (callbacks.Outcome, string, error) {
	_, _, found, err := a.row(ctx, account.PK)
	switch {
	case err != nil:
		return "", "", err
	case !found:
		return callbacks.Vanished, "", a.bury(ctx, account)
	}
	n := a.table.ActiveColumn()
	if n < 0 {
		return callbacks.Refused, a.table.Name + " has no column that says whether an account is active: set users.columns.active", nil
	}
	if why := callbacks.CantRestore(l.by); why != "" {
		return callbacks.Refused, why, nil
	}
	key, _ := keyValue(a.table.Key, account.PK)
	err = a.exec(ctx, `UPDATE `+a.table.name+` SET `+a.table.columns[n]+` = 1 WHERE `+a.table.key+` = ?`, key)
	if err != nil {
		return "", "", err
	}
	return callbacks.Restored, "", a.exec(ctx, `UPDATE ldapsync_link SET deactivated_by = 'restored', restored_seq = gone_seq, restored_by = ?, restored_at = ?
		WHERE source = ? AND kind = 'user' AND id = ?`, a.by, timeText(a.store.cfg.Now()), account.Source, account.ID)
}
