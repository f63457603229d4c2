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

func (a *acting) deactivate(ctx context.Context, account callbacks.Account) (callbacks.Outcome, string, error) {
	n := a.table.ActiveColumn()
	if n < 0 {
		return callbacks.Refused, a.table.Name + " has no column that says whether an account is active: set users.active", nil
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

func (a *acting) delete(ctx context.Context, account callbacks.Account) (callbacks.Outcome, string, error) {
	_, superuser, found, err := a.row(ctx, account.PK)
	switch {
	case err != nil:
		return "", "", err
	case superuser:
		return callbacks.Refused, "is a superuser", nil
	case !found:
		return callbacks.Vanished, "", a.bury(ctx, account)
	}
	others, err := a.referrers(ctx)
	if err != nil {
		return "", "", err
	}
	reason, err := a.deleteRow(ctx, a.table, others, account.PK)
	switch {
	case err != nil:
		return "", "", err
	case reason != "":
		return callbacks.Refused, reason, nil
	}
	return callbacks.Removed, "", a.bury(ctx, account)
}

// referrers is others, asked once for all accounts.
func (a *acting) referrers(ctx context.Context) ([]referrer, error) {
	var err error
	if !a.asked {
		a.inTheWay, err = a.others(ctx, a.table)
		a.asked = err == nil
	}
	return a.inTheWay, err
}
