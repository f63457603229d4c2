-- Who was missing before she was gone: restore finds her by either snapshot.

ALTER TABLE ldapsync_link ADD COLUMN missing_seq integer NULL; -- the gone_seq that it had while it was missing, if it has another one since
